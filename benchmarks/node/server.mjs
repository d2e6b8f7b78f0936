// Drives aws-jwt-verify for the Go programs beside it: one JSON command a line
// on standard input, one JSON answer a line on standard output.

import { createInterface } from "node:readline";
import { createPublicKey, verify as verifySignature } from "node:crypto";
import { readFileSync } from "node:fs";
import { CognitoJwtVerifier } from "aws-jwt-verify";
import { SimpleFetcher } from "aws-jwt-verify/https";
import { SimpleJwksCache } from "aws-jwt-verify/jwk";

const library = JSON.parse(
  readFileSync(new URL("node_modules/aws-jwt-verify/package.json", import.meta.url), "utf8"),
);

let verifiers; // by token use
let tokens = []; // what slice verifies
let next = 0;
let key; // what floorSlice verifies with

// verifierOf makes the verifier of one token use. Both its issuers' keys are
// the given jwks, or are fetched from jwksURL by the library's own fetcher.
function verifierOf(use, { userPoolId, clientId, jwks, jwksURL }) {
  const fetcher = new SimpleFetcher();
  const jwksCache = new SimpleJwksCache({
    fetcher: { fetch: (_, ...rest) => fetcher.fetch(jwksURL, ...rest) },
  });
  const verifier = CognitoJwtVerifier.create({ userPoolId, clientId, tokenUse: use }, { jwksCache });
  if (jwks) verifier.cacheJwks(jwks);
  return verifier;
}

// within rejects after ms; its timer must not keep the process alive.
function within(ms, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("blocked")), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// timed calls f until ms have passed, and says how often and for how long.
function timed(ms, f) {
  const end = process.hrtime.bigint() + BigInt(ms) * 1000000n;
  const start = process.hrtime.bigint();
  let n = 0;
  let now = start;
  while (now < end) {
    f(tokens[next++ % tokens.length]);
    n++;
    now = process.hrtime.bigint();
  }
  return { n, ns: Number(now - start) };
}

const commands = {
  version: () => ({ node: process.versions.node, library: library.version }),

  create(options) {
    verifiers = { access: verifierOf("access", options), id: verifierOf("id", options) };
    return {};
  },

  // clock stops the clock that the library reads.
  clock({ ms }) {
    Date.now = () => ms;
    return {};
  },

  // outcomes verifies each token and answers the class of its error, "" if it
  // was accepted.
  outcomes: ({ items }) => ({
    outcomes: items.map(({ use, token }) => {
      try {
        verifiers[use].verifySync(token);
        return "";
      } catch (err) {
        return err.constructor.name || "Error";
      }
    }),
  }),

  // verify verifies the tokens, so many at a time, fetching keys as needed.
  async verify({ use, list, atATime, ms }) {
    const count = { ok: 0, failed: 0, blocked: 0 };
    let i = 0;
    const worker = async () => {
      while (i < list.length) {
        try {
          await within(ms, verifiers[use].verify(list[i++]));
          count.ok++;
        } catch (err) {
          count[err.message === "blocked" ? "blocked" : "failed"]++;
        }
      }
    };
    await Promise.all(Array.from({ length: atATime }, worker));
    return count;
  },

  load({ list, jwk }) {
    tokens = list;
    next = 0;
    key = createPublicKey({ key: jwk, format: "jwk" });
    return {};
  },

  slice: ({ use, ms }) => timed(ms, (token) => verifiers[use].verifySync(token)),

  // floorSlice does only what cannot be left out: base64 and the signature.
  floorSlice: ({ ms }) =>
    timed(ms, (token) => {
      const [header, payload, signature] = token.split(".");
      Buffer.from(header, "base64url");
      Buffer.from(payload, "base64url");
      const signed = Buffer.from(`${header}.${payload}`);
      if (!verifySignature("RSA-SHA256", signed, key, Buffer.from(signature, "base64url"))) {
        throw new Error("bad signature");
      }
    }),
};

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const { op, ...options } = JSON.parse(line);
    answer = await commands[op](options);
  } catch (err) {
    answer = { error: `${err.constructor.name}: ${err.message}` };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
