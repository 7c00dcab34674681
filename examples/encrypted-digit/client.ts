// The client's process: it holds the secret, starts the worker as a process of its own, and asks for real handwritten digits.
// Usage: node client.ts [COUNT [RECORD]]
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { compileEncrypted, describePlan } from '@tacit/compiler'
import { EncryptedModelClient, hashEncodedIntegers, serializeEncodedNetwork } from '@tacit/fhe'
import { digitInput, parseDigits, parseOnnx, splitDigits } from '@tacit/model'
import { readFrames, writeFrame } from './frames.ts'

const zoo = new URL('../../zoo/', import.meta.url)
const count = Number(process.argv[2] ?? 5)
const record = process.argv[3]
const model = compileEncrypted(parseOnnx(readFileSync(new URL('digits/digits-square.onnx', zoo))))
const { heldOut } = splitDigits(parseDigits(gunzipSync(readFileSync(new URL('data/digits/digits.csv.gz', zoo))).toString()))
for (const line of describePlan(model)) console.log(line)

const server = fileURLToPath(new URL('./server.ts', import.meta.url))
const worker = spawn(process.execPath, [...process.execArgv, server, ...(record === undefined ? [] : [record])], {
  stdio: ['pipe', 'pipe', 'inherit'],
})
const client = new EncryptedModelClient({
  worker: 'the other process',
  modelRoot: model.root,
  plan: model.plan,
  integersHash: hashEncodedIntegers(model.encoded),
  random: (size) => new Uint8Array(randomBytes(size)),
  // Two processes of one program trust their pipe; a network client checks the worker's signature here.
  verifyWorker: () => true,
  verifyReplay: () => false,
})
writeFrame(worker.stdin, serializeEncodedNetwork(model.encoded))
writeFrame(worker.stdin, client.keySet)
const answers = readFrames(worker.stdout)
let correct = 0
for (const digit of heldOut.slice(0, count)) {
  const request = client.encrypt(digitInput(digit))
  writeFrame(worker.stdin, request.bytes)
  const { value: response } = await answers.next()
  if (response === undefined) throw new Error('The worker stopped.')
  const label = client.openLabel(client.receive(request, response, new Uint8Array()))
  if (label === digit.label) correct++
  console.log(`a ${digit.label} was read as ${label}`)
}
console.log(`${correct} of ${count} read correctly; the worker saw ciphertexts only`)
worker.stdin.end()
