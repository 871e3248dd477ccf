// Package journal reads a file of JSON lines as the queues of many streams.
//
// Each line is an envelope around one transaction:
//
//	{"stream":"…uuid…","store":"0042","device":"ipad-0042-03","user":"u-17",
//	 "session":"s-9","appVersion":"4.2.0","transaction":{"id":"…","seq":1,…}}
//
// The lines of several streams may be mixed; within a stream they come in
// order, from seq 1, without gaps. The whole file is read and judged once, and
// only where each transaction stands is kept: 32 bytes of memory for each, and
// 20 more while the file is read.
// Sending reads a transaction's octets from the file, as they stand there.
package journal
