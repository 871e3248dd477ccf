// Command holdfast is the whole product in one program: the gateway, and what a
// person needs beside it. A file per subcommand; this package alone knows every
// other and wires them together.
package main
