// Package middleware holds what happens around a handler: one file each, none
// of which knows a resource or a rule of the protocol's content.
//
// Outermost to innermost, for the whole handler:
//
//	Protocol        every answer says Holdfast-Protocol: 1
//	ClientAddress   who is at the other end
//	RequestContext  the context headers, once, for everything that follows
//	Observe         whoever counts and traces requests
//	AccessLog       one event per request
//	Recover         a panic becomes an answer
//	HeaderLimits    431 before anything reads the headers
//	Drain.Handler   Connection: close while draining
//
// and inside the router, for a group of routes, when the route is known:
//
//	InFlight        503 before memory grows
//	Authenticate    401, 403
//	JSONBody        415
//	Bodies.Handler  400, 408, 413, 503; the handler finds the octets with BodyBytes
//
// A handler asks [Admission.Admit] after it has checked the shape of the
// request: that is where 429 and a draining 503 have their turn.
//
// [WrapListener] and [ConnState] make the refusals of net/http itself, which
// never reach a handler, look like every other answer.
package middleware
