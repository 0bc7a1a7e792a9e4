// Package tlsconn puts the protocol's connections under TLS: a server's
// certificate and a member's authorities that follow their files (Certificate,
// Authorities), the taking of connections (Serve), the handshake of either end
// within a deadline (Accept, Client), and words for what goes wrong when the two
// ends do not agree (Error). Without a *tls.Config everything stays plain.
//
// Who says what to whom is not its job, nor are passwords of clients: a server
// asks nobody for a certificate, tickets tell who a client is.
package tlsconn
