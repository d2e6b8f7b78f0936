// Package template reads CloudFormation templates and works out what a stack
// made of them would hold: parameters, rules, conditions, references, nested
// stacks and all. It knows as much of CloudFormation as the templates beside it
// use, and refuses what it does not know.
//
// It calls nothing. What only AWS can say, such as the id of a subnet, is a
// made-up name that is the same wherever the template refers to it.
package template
