// Package prefetch keeps what an app should hold before it goes offline: scripts, forms, tables, maps.
//
// A resource is a file of this machine, a file of a watched folder, or what a URL gives. Whatever it
// is, its octets are copied into the cache folder first, into a file named by their SHA-256, and served from there
// only. So a file that is changed while somebody reads it is never served under the wrong digest, an upstream
// that is down costs nobody anything, and a node that starts while it is down serves what it last had.
//
// A name goes through these states; only in the middle ones is it listed:
//
//	unread ──first refresh that succeeds──▶ held
//	held ──refresh: the same, 304, or a failure──▶ held, the same version
//	held ──refresh: other octets──▶ held; the version before stays openable, the one before that is removed
//	held ──the current file in the cache is damaged──▶ held at the version before, or unread; fetched at once
//	held ──its file leaves the folder, or it leaves the settings──▶ gone: openable for an hour, no longer listed
//	gone ──it comes back──▶ held
//
// Octets are verified when they are read from the cache, 64 KiB at a time, before anybody gets them: the SHA-256
// of each piece is remembered from when the whole was verified. A disk that lies makes a response end early and the
// resource be fetched again; it never makes it wrong.
//
// An upstream is asked again every Config.Refresh, a tenth of it less at random so that nodes spread, with the
// validators (ETag, Last-Modified) it gave. After a failure the pause is random up to 1 s, 2 s, 4 s … at most the
// refresh time. Local files are looked at every 2 s.
//
// The cache folder belongs to one process. Two on one folder, as in a restart that overlaps, do each other no
// harm but work: what one removes the other notices and fetches again.
package prefetch
