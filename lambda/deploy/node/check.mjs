// Reads stacks from standard input, checks each with AWS's validator and with
// cdk-nag's AwsSolutions pack, and prints what they find, as JSON.
//
// In:  [{stack, template, parameters, flat, region, account}]: template is the
//      file as it is deployed, parameters its values, flat the same with
//      parameters and conditions worked out. cdk-nag needs that, and the
//      validator looks at both: in the file it takes every branch of a condition
//      for possible.
// Out: {findings: [{tool, stack, rule, resource, severity, message}], rules: {…}}
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import validate from "@aws/cloudformation-validate";
import { App, Stack } from "aws-cdk-lib";
import { CfnInclude } from "aws-cdk-lib/cloudformation-include";
import { AwsSolutionsChecks } from "cdk-nag";

const stacks = JSON.parse(readFileSync(0, "utf8"));
const scratch = mkdtempSync(join(tmpdir(), "sso-templates-"));
const engine = new validate.RegoEngine();
const findings = [];
try {
  stacks.forEach((s, i) => {
    const flat = join(scratch, `${i}.json`);
    writeFileSync(flat, JSON.stringify(s.flat));
    findings.push(...byValidator("cloudformation-validate", "WARN", s, s.template, s.parameters));
    findings.push(...byValidator("cloudformation-validate-flat", "ERROR", s, flat, {}), ...byNag(s, flat));
  });
  console.log(JSON.stringify({ findings, rules: engine.listRules().length }));
} finally {
  engine.free();
  rmSync(scratch, { recursive: true });
}

// Notes (INFO) say what a property does when it changes, and are left out; so
// are warnings of the flat template, which are of values being written out.
function byValidator(tool, severityLevel, { stack, region, account }, file, parameters) {
  const report = engine.validateStandard(new validate.TemplateFile(file), {
    severityLevel,
    parameterOverrides: parameters,
    pseudoParameterOverrides: { region, accountId: account },
  });
  return report.diagnostics.map((d) => ({
    tool,
    stack,
    rule: d.ruleId,
    resource: d.entity?.logicalId ?? "",
    severity: d.severity,
    message: d.message,
  }));
}

function byNag({ stack }, file) {
  const scope = new Stack(new App(), "stack");
  new CfnInclude(scope, "template", { templateFile: file });
  const { violations } = new AwsSolutionsChecks(scope, { verbose: true }).validateScope(scope);
  return violations.flatMap((v) =>
    v.violatingResources.map((r) => ({
      tool: "cdk-nag",
      stack,
      rule: v.ruleName,
      resource: r.constructPath.split("/").pop(),
      severity: v.severity,
      message: v.description,
    })),
  );
}
