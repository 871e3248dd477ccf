// Package attachment takes files over bad connections and keeps them in object stores.
//
// A file is an object named by the SHA-256 of its octets; which sites hold a copy stands
// in the database. The octets of a request go to a [Spool], a local temporary file without a
// name, and are hashed on the way. Nothing is put into a site before that: memory stays
// small, a slow client holds no connection to a site, and octets that a site did not take
// can be given to the next one.
//
// A file that comes in one piece is compared with its name and put. One that comes in
// pieces is an upload, which any node may go on with:
//
//	created ──append──▶ begun ──append──▶ … ──last octets──▶ finished
//	   ▲                  │
//	   └──── the site that holds the parts is lost: offset 0, other site
//
// While it is begun, its site holds an assembly of parts of at least 5 MiB, and loose pieces,
// each what was left when a connection broke. The upload's row holds the offset, the hash so far,
// the parts and pieces, and a generation that grows whenever a request takes the upload
// over: a late one changes nothing. The offset is the size only when the file is visible,
// whole and verified. What nobody goes on with is swept after its end.
package attachment
