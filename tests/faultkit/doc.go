// Package faultkit is for teams that put Holdfast between their devices and their
// own systems, and want to see what it does when those systems fail. It starts a
// real WireMock in place of a REST consumer and a real OpenSSH server in place of
// one that takes files, each private, on free ports of 127.0.0.1. Both fail on
// demand, in their answers, in their sessions and on the network in front of them.
// Afterwards the checks read what arrived and say which promise was broken.
//
// # What it needs
//
// Linux, and three programs:
//
//   - Java 11 or later (apt-get install default-jre-headless),
//   - WireMock 3.13.2 (npm install --save-dev wiremock@3.13.2 in your project, or
//     WIREMOCK_JAR with the path of its jar; in Holdfast's source: make tools),
//   - OpenSSH's server (apt-get install openssh-server; it need not run).
//
// A missing one fails the test and says what to install. Nothing is skipped, as a
// skipped fault suite looks just like one that passed. No root is needed: sshd runs
// as the user of the test, who is also the one who logs in, and who needs a name in
// /etc/passwd and a shell. As root, in a container, it makes /run/sshd; root's
// account must not be locked there (an exclamation mark in /etc/shadow).
//
// Servers end with the test, and with the test process however that ends: the
// kernel kills them with it.
//
// # A suite
//
// Start the consumers, a gateway whose configuration names them, and send:
//
//	func TestOurConsumers(t *testing.T) {
//		rest, files := faultkit.WireMock(t), faultkit.SFTP(t)
//		rest.FailsThenWorks("/orders", 3, faultkit.ServerError(), faultkit.Reference())
//		files.LoseRename()
//
//		// a gateway with a REST consumer at rest.URL()+"/orders" whose reference
//		// is $.referenceNumber, and an SFTP consumer at files.Address() with
//		// files.User, files.KeyFile and files.KnownHosts; send, and wait until
//		// all is delivered
//
//		requests := rest.Journal("/orders")
//		if err := errors.Join(
//			faultkit.CheckSameKey(requests, transactionID),
//			faultkit.CheckSameRequest(requests),
//			faultkit.CheckOrder(requests, orderKey, number),
//			faultkit.CheckDelivered(requests, transactionID, want...),
//			faultkit.CheckNames(files.Files(), wantedNames...),
//		); err != nil {
//			t.Fatal(err)
//		}
//		if left := files.Leftovers(); len(left) > 0 {
//			t.Fatal("temporary files are left:", left)
//		}
//	}
//
// TestASuite of this package is one that runs. Set the retries and the breaker of
// the gateway's consumers to tenths of a second, or every fault costs minutes.
//
// # What fails where
//
//	a wrong answer       [Status] [ServerError] [TooMany] [Redirect] [Garbage] [WrongReference] [Huge]
//	no answer            [Break] with one of [Faults], [Hang]
//	a late one           any [Reply] WithFixedDelay, WithUniformRandomDelay, WithLogNormalRandomDelay, WithChunkedDribbleDelay
//	fails, then works    [WireMockServer.FailsThenWorks] [WireMockServer.Sequence]
//	one is poison        [WireMockServer.OnContaining]
//	the process dies     [WireMockServer.Stop] [SFTPServer.Kill], each with Start
//	the network          [Line], which both servers have: Refuse, Hang, Cut, CutAfter, CutOnceAfter, Slow
//	done, but not known  [Line.LoseAnswerWhen] [SFTPServer.LoseRename]
//	another host key     [SFTPServer.ChangeHostKey]
//	files are refused    [SFTPServer.ReadOnly] [SFTPServer.Full] [SFTPServer.FullAfter] [SFTPServer.RefuseRename] [SFTPServer.Deny]
//
// # What must hold
//
// Holdfast calls a consumer at least once and always under the same key, so a
// consumer that knows the keys it has seen does everything exactly once. In every
// run, whatever fails: [CheckSameKey], [CheckSameRequest], [CheckDelivered] and, for
// consumers with an order, [CheckOrder]. [CheckOncePerKey] holds as long as no
// answer is lost and no gateway is killed. [Reference] is a consumer that knows its
// keys: the number that it answers is a function of the key alone.
//
// # What it can't do
//
// A full disk and a folder without permission are made by limits on sftp-server and
// not in the file system, so that they work for every user, root included. WireMock
// speaks HTTP here without TLS. Its journal has times in milliseconds. Octets that a
// [Line] has let through before a cut reach the server, which may still be writing
// them when the client knows of the cut: wait for what should be there.
package faultkit
