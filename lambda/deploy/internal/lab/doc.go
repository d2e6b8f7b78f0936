// Package lab builds a network out of the templates on this machine, and asks
// the kernel what package network only works out: which connections open.
//
// Each host (a function in one of its subnets, the database, an endpoint, a NAT
// gateway, somebody on the internet) and each VPC's router is a network
// namespace. Routers have the route tables of the templates; security groups
// are nftables rules at the router's end of a host's link, where a host cannot
// change them. Hosts have an address of their subnet and nothing but their
// router: two hosts of one subnet talk through it too, as on AWS.
//
// The namespaces have no name and hang on threads of this process alone. No
// link begins or ends in the machine's own network, whose addresses, routes and
// rules are not touched. When the process ends, even by a crash, the kernel
// removes all of it.
//
// What AWS does by itself is no link: a function's Runtime API listens on the
// function's own loopback, as on Lambda, and events are handed over inside the
// process that has the lab.
package lab
