// Every signed document against fixed vectors, and its digest against an independent EIP-712 implementation.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  acceptanceSchema,
  canonicalJson,
  checkerStatementSchema,
  createSigner,
  type DocumentKind,
  deriveChannelId,
  deriveJobId,
  deriveSessionId,
  directoryRecordSchema,
  documentDigest,
  documentId,
  isDocumentSignedBy,
  type Json,
  MalformedError,
  noScope,
  parseAddress,
  parseBytes32,
  parseHex,
  parseModelId,
  parseSessionId,
  prekeySchema,
  quoteSchema,
  receiptCoreSchema,
  recommendationSchema,
  requestSchema,
  type Schema,
  type SigningDomain,
  signDocument,
  signedSchema,
  solverAnswerSchema,
  stepReceiptSchema,
  toHex,
} from '@tacit/protocol'
import fc from 'fast-check'
import { concat, encodeAbiParameters, hashTypedData, keccak256, stringToHex } from 'viem'
import { recoverTypedDataAddress } from 'viem/utils'
import vectors from './vectors/documents.json' with { type: 'json' }

const schemas: Readonly<Record<DocumentKind, Schema<Json>>> = {
  Prekey: prekeySchema as Schema<Json>,
  Recommendation: recommendationSchema as Schema<Json>,
  Quote: quoteSchema as Schema<Json>,
  Request: requestSchema as Schema<Json>,
  Acceptance: acceptanceSchema as Schema<Json>,
  StepReceipt: stepReceiptSchema as Schema<Json>,
  Receipt: receiptCoreSchema as Schema<Json>,
  DirectoryRecord: directoryRecordSchema as Schema<Json>,
  SolverAnswer: solverAnswerSchema as Schema<Json>,
  CheckVector: checkerStatementSchema as Schema<Json>,
}
const kinds = Object.keys(schemas) as DocumentKind[]
const domain: SigningDomain = { chainId: BigInt(vectors.domain.chainId), contract: parseAddress(vectors.domain.contract) }
const documents = vectors.documents.map((vector) => ({
  ...vector,
  kind: vector.kind as DocumentKind,
  document: vector.document as Json,
  signer: parseAddress(vector.signer),
  scope: { session: parseBytes32(vector.scope.session), job: parseBytes32(vector.scope.job) },
  signature: vector.signature as `0x${string}`,
}))

function typedData(kind: DocumentKind, vector: (typeof documents)[number]) {
  return {
    domain: { name: 'Tacit', version: '1', chainId: domain.chainId, verifyingContract: domain.contract },
    types: {
      [`Tacit${kind}`]: [
        { name: 'document', type: 'bytes32' },
        { name: 'session', type: 'bytes32' },
        { name: 'job', type: 'bytes32' },
      ],
    },
    primaryType: `Tacit${kind}`,
    message: { document: keccak256(stringToHex(vector.canonical)), session: vector.scope.session, job: vector.scope.job },
  } as const
}

describe('signed documents', () => {
  it('have a vector for every kind', () => {
    assert.deepEqual(documents.map(({ kind }) => kind).sort(), [...kinds].sort())
  })

  for (const vector of documents) {
    const { kind, document, scope, signer, signature } = vector
    it(`${kind}: canonical form, id, digest and signature are those of the vector`, () => {
      assert.equal(canonicalJson(schemas[kind](document, kind)), vector.canonical)
      assert.equal(documentId(document), vector.id)
      assert.equal(toHex(documentDigest(kind, document, scope, domain)), vector.digest)
      assert.ok(isDocumentSignedBy(signer, kind, { document, signature }, scope, domain))
      const key = Object.values(vectors.keys).find((candidate) => createSigner(parseHex(candidate, 'A key')).address === signer)
      assert.ok(key !== undefined)
      assert.equal(signDocument(kind, document, scope, domain, createSigner(parseHex(key, 'A key'))).signature, signature)
    })

    it(`${kind}: the digest is EIP-712, as viem computes it, and viem recovers the signer`, async () => {
      assert.equal(hashTypedData(typedData(kind, vector)), vector.digest)
      assert.equal((await recoverTypedDataAddress({ ...typedData(kind, vector), signature })).toLowerCase(), signer)
    })

    it(`${kind}: the signature is worth nothing for another kind, session, job, chain, contract or signer`, () => {
      const signed = { document, signature }
      for (const other of kinds.filter((candidate) => candidate !== kind))
        assert.ok(!isDocumentSignedBy(signer, other, signed, scope, domain))
      const elsewhere = parseBytes32(`0x${'ee'.repeat(32)}`)
      assert.ok(!isDocumentSignedBy(signer, kind, signed, { ...scope, session: elsewhere }, domain))
      assert.ok(!isDocumentSignedBy(signer, kind, signed, { ...scope, job: elsewhere }, domain))
      assert.ok(!isDocumentSignedBy(signer, kind, signed, scope, { ...domain, chainId: domain.chainId + 1n }))
      assert.ok(!isDocumentSignedBy(signer, kind, signed, scope, { ...domain, contract: parseAddress(`0x${'ee'.repeat(20)}`) }))
      assert.ok(!isDocumentSignedBy(parseAddress(`0x${'ee'.repeat(20)}`), kind, signed, scope, domain))
    })

    it(`${kind}: no field can be changed, dropped or added`, () => {
      for (const path of leafPaths(document)) {
        const forged = mutate(document, path)
        const verdict = accepts(schemas[kind], forged) && isDocumentSignedBy(signer, kind, { document: forged, signature }, scope, domain)
        assert.ok(!verdict, path.join('.'))
      }
      const fields = document as Record<string, Json>
      for (const key of Object.keys(fields)) {
        const { [key]: _, ...rest } = fields
        assert.throws(() => schemas[kind](rest, kind), { code: 'protocol.malformed' })
      }
      assert.throws(() => schemas[kind]({ ...fields, extra: 1 }, kind), { code: 'protocol.malformed' })
      assert.throws(() => schemas[kind](JSON.parse(`{"__proto__":{},${vector.canonical.slice(1)}`), kind), { code: 'protocol.malformed' })
    })
  }

  it('are refused by every schema but their own', () => {
    for (const { document, kind } of documents)
      for (const other of kinds.filter((name) => name !== kind)) assert.ok(!accepts(schemas[other], document))
  })

  it('make every schema throw MalformedError and nothing else for garbage', () => {
    for (const schema of [...Object.values(schemas), signedSchema(receiptCoreSchema) as Schema<Json>]) {
      fc.assert(
        fc.property(fc.anything(), (value) => void accepts(schema, value)),
        { numRuns: 60 },
      )
    }
  })
})

describe('identifiers', () => {
  const { identifiers } = vectors
  const binding = { ...domain, payer: parseAddress(identifiers.payer), worker: parseAddress(identifiers.worker) }

  it('are those of the vectors', () => {
    const session = deriveSessionId({ ...binding, salt: parseHex(identifiers.sessionSalt, 'A salt') })
    assert.equal(session, identifiers.session)
    assert.equal(deriveJobId(session, identifiers.jobIndex), identifiers.job)
    const channel = {
      ...domain,
      payer: binding.payer,
      payee: binding.worker,
      model: parseModelId(identifiers.model),
      salt: parseBytes32(identifiers.channelSalt),
    }
    assert.equal(deriveChannelId(channel), identifiers.channel)
  })

  it('are what viem computes from the specification', () => {
    const uint = (value: bigint) => encodeAbiParameters([{ type: 'uint256' }], [value])
    const padded = (address: string) => encodeAbiParameters([{ type: 'address' }], [address as `0x${string}`])
    const preimage = [
      stringToHex('tacit/session/v1'),
      uint(domain.chainId),
      padded(domain.contract),
      padded(binding.payer),
      padded(binding.worker),
    ]
    assert.equal(keccak256(concat([...preimage, identifiers.sessionSalt as `0x${string}`])), identifiers.session)
    assert.equal(keccak256(concat([stringToHex('tacit/job/v1'), identifiers.session as `0x${string}`, uint(0n)])), identifiers.job)
    const types = [
      { type: 'uint256' },
      { type: 'address' },
      { type: 'address' },
      { type: 'address' },
      { type: 'bytes32' },
      { type: 'bytes32' },
    ] as const
    const [payer, payee] = [identifiers.payer as `0x${string}`, identifiers.worker as `0x${string}`]
    const [model, salt] = [identifiers.model as `0x${string}`, identifiers.channelSalt as `0x${string}`]
    assert.equal(keccak256(encodeAbiParameters(types, [domain.chainId, domain.contract, payer, payee, model, salt])), identifiers.channel)
  })

  it('differ in whatever they bind', () => {
    const salt = new Uint8Array(32)
    const base = deriveSessionId({ ...binding, salt })
    const others = [
      deriveSessionId({ ...binding, salt: new Uint8Array(32).fill(1) }),
      deriveSessionId({ ...binding, salt, chainId: 1n }),
      deriveSessionId({ ...binding, salt, contract: binding.payer }),
      deriveSessionId({ ...binding, salt, payer: binding.worker, worker: binding.payer }),
      deriveJobId(base, 0),
      deriveJobId(base, 1),
    ]
    assert.equal(new Set([base, ...others]).size, 7)
    assert.throws(() => deriveSessionId({ ...binding, salt: new Uint8Array(31) }), { code: 'protocol.malformed' })
    assert.throws(() => parseSessionId(`0x${'AB'.repeat(32)}`), { code: 'protocol.malformed' })
    assert.equal(noScope.session, `0x${'00'.repeat(32)}`)
  })
})

type Path = readonly (string | number)[]

function leafPaths(value: unknown, path: Path = []): readonly Path[] {
  if (typeof value !== 'object' || value === null) return [path]
  return Object.entries(value).flatMap(([key, child]) => leafPaths(child, [...path, key]))
}

function mutate(document: Json, path: Path): Json {
  const copy = structuredClone(document) as Record<string, unknown>
  let parent = copy
  for (const key of path.slice(0, -1)) parent = parent[key] as Record<string, unknown>
  const last = String(path.at(-1))
  const leaf = parent[last]
  if (typeof leaf === 'number') parent[last] = leaf + 1
  else if (leaf === null) parent[last] = `0x${'00'.repeat(32)}`
  else if (typeof leaf === 'string' && leaf.startsWith('0x')) parent[last] = `${leaf.slice(0, -1)}${leaf.endsWith('0') ? '1' : '0'}`
  else if (typeof leaf === 'string' && /^\d+$/.test(leaf)) parent[last] = (BigInt(leaf) + 1n).toString()
  else parent[last] = `${String(leaf)}x`
  return copy as Json
}

function accepts(schema: Schema<Json>, value: unknown): boolean {
  try {
    schema(value, 'document')
    return true
  } catch (error) {
    assert.ok(error instanceof MalformedError, String(error))
    return false
  }
}
