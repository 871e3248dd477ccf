package main

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/holdfast-sync/holdfast/delivery"
	"github.com/holdfast-sync/holdfast/delivery/rest"
	"github.com/holdfast-sync/holdfast/delivery/sftp"
	"github.com/holdfast-sync/holdfast/internal/settings"
)

// consumersOf makes what the configuration file names; its files are below the file's folder.
func consumersOf(s *settings.Settings, named []settings.Consumer) ([]delivery.Consumer, error) {
	all := make([]delivery.Consumer, 0, len(named))
	fail := func(err error) ([]delivery.Consumer, error) {
		closeSenders(all)
		return nil, s.Wrong("consumers", err.Error())
	}
	for _, c := range named {
		one := delivery.Consumer{
			Name: c.Name, Types: c.Types, Shops: c.Stores, After: c.After, Order: delivery.Order(c.Order), Concurrency: c.Concurrency, Timeout: c.Timeout,
			Retry:   delivery.Retry{First: c.Retry.First, Most: c.Retry.Most, Attempts: c.Retry.Attempts, For: c.Retry.For},
			Breaker: delivery.Breaker{Failures: c.Breaker.Failures, Rest: c.Breaker.Rest},
			Fail:    c.GiveUp == "fail", Files: c.Files,
		}
		var err error
		if c.REST != nil {
			one.Sender, err = restSender(s.Dir(), c)
		} else {
			one.Files = one.Files || c.SFTP.Attachments != ""
			one.Sender, err = sftpSender(s.Dir(), c)
		}
		if err != nil {
			return fail(fmt.Errorf("%s: %w", c.Name, err))
		}
		all = append(all, one)
	}
	if err := delivery.Check(all); err != nil {
		return fail(err)
	}
	return all, nil
}

func closeSenders(all []delivery.Consumer) {
	for _, c := range all {
		_ = c.Sender.Close()
	}
}

// below is a path as the configuration file means it.
func below(dir, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// connections is how many calls a consumer may get at once.
func connections(c settings.Consumer) int {
	if c.Concurrency == 0 {
		return 8
	}
	return c.Concurrency
}

func restSender(dir string, c settings.Consumer) (delivery.Sender, error) {
	r := c.REST
	cfg := rest.Config{
		URL: r.URL, Method: r.Method, Headers: r.Headers, Body: r.Body, ContentType: r.ContentType, Reference: r.Reference, ReferenceType: r.ReferenceType,
		Permanent: r.Permanent, Passing: r.Passing, AlreadyDone: r.AlreadyDone, Connections: connections(c), CAFile: below(dir, r.CAFile), Proxy: r.Proxy,
		BearerFile: below(dir, r.Auth.BearerFile), BasicUser: r.Auth.User, BasicFile: below(dir, r.Auth.PasswordFile),
		CertificateFile: below(dir, r.Auth.CertificateFile), KeyFile: below(dir, r.Auth.KeyFile), HeaderFiles: map[string]string{},
	}
	for name, path := range r.HeaderFiles {
		cfg.HeaderFiles[name] = below(dir, path)
	}
	if o := r.Auth.OAuth2; o != nil {
		cfg.OAuth2 = &rest.OAuth2{TokenURL: o.TokenURL, ClientID: o.ClientID, SecretFile: below(dir, o.ClientSecretFile), Scopes: o.Scopes}
	}
	return rest.New(cfg)
}

func sftpSender(dir string, c settings.Consumer) (delivery.Sender, error) {
	f := c.SFTP
	return sftp.New(sftp.Config{
		Address: f.Address, User: f.User, Directory: f.Directory, File: f.File, Body: f.Body, JSON: f.Format != "text",
		KnownHostsFile: below(dir, f.KnownHostsFile), Fingerprints: f.Fingerprints, KeyFile: below(dir, f.KeyFile),
		PassphraseFile: below(dir, f.PassphraseFile), PasswordFile: below(dir, f.PasswordFile), SHA256: f.SHA256, Done: f.Done, Attachments: f.Attachments,
		Connections: connections(c),
	})
}

// reloadPatience is how long attempts that run may take when the consumers change.
const reloadPatience = 30 * time.Second
