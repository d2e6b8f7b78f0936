// Package deploy holds the CloudFormation templates of the whole system, in
// templates, and the tests of them: nothing here is imported. README.md says
// how they are deployed.
//
// internal/template works a template out, internal/variant the deployments in
// variants.yaml, internal/network who reaches whom, internal/calls which
// operations of AWS a program can call, and internal/policy the rules.
package deploy
