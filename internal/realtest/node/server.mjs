// An SQS server on a free port of 127.0.0.1. It says which, and ends with its
// input: the package's own command would listen on every address.
import { buildApp } from 'fauxqs'

const app = buildApp({ logger: false })
await app.listen({ host: '127.0.0.1', port: 0 })
console.log(`listening on port ${app.server.address().port}.`)
process.stdin.resume().on('end', () => process.exit(0))
