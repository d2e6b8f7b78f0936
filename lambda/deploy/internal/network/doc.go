// Package network is the network that the templates make, together with what
// was there before: who is where, and who can open a connection to whom.
//
// A connection opens if the security groups of the one who opens it let it out,
// the route table of its subnet leads there, the other side's security groups
// let it in, and a route leads back. Security groups remember connections, so
// answers need no rule; routes do not. Network ACLs are AWS's own, which let
// everything through: the templates make none.
//
// Not in it: name resolution, which a VPC's resolver answers whatever the
// security groups say, and what AWS's services do by themselves, such as Lambda
// reading the queue for a function.
package network
