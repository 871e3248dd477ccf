// Package api is the way in over HTTP: routes made from the OpenAPI document
// (package wire is generated from it), decoding, encoding, and checks of shape.
// It declares the narrow ports that it calls and knows nobody behind them.
//
// A handler answers in the protocol's order: shape and context (400, 413), then
// rate and load (429, 503), then whatever the rules say. The batch's body is read
// once and by hand; its answer is written by hand.
package api
