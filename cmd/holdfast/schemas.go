package main

import (
	"github.com/holdfast-sync/holdfast/internal/settings"
	"github.com/holdfast-sync/holdfast/schemas"
)

// openSchemas compiles what the settings register.
func openSchemas(s *settings.Settings) (*schemas.Registry, error) {
	c := schemas.Config{Dir: s.Dir(), Unregistered: s.Schemas.Unregistered}
	for _, t := range s.Schemas.Types {
		c.Types = append(c.Types, schemas.Type(t))
	}
	return schemas.Open(c)
}
