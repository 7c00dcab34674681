// Computes the vectors of docs/spec/session.md from fixed inputs. To write them anew:
//   node --conditions=tacit-source packages/session/test/session-vectors.ts > packages/session/test/vectors/tacit-session.json
import { toHex } from '@tacit/protocol'
import { jobId, info, notBefore, nowSeconds, seededRandom, worker } from './fixtures.ts'
import {
  acceptSession,
  encodePrekey,
  encodeSessionInfo,
  frank,
  generatePrekey,
  openSession,
  packCells,
  prekeyId,
  type SuiteName,
} from '../src/index.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)

async function suiteVector(suite: SuiteName) {
  const drawn: Uint8Array[] = []
  const source = seededRandom(`vector/${suite}`)
  const random = (sizeBytes: number) => {
    const bytes = source(sizeBytes)
    drawn.push(Uint8Array.from(bytes))
    return bytes
  }
  const { record, secret } = await generatePrekey({ suite, worker, notBefore, notAfter: notBefore + 3600, random })
  const { enc, session } = await openSession({ prekey: record, info, nowSeconds, random })
  const accepted = await acceptSession({ prekeySecret: secret, enc, info })
  const request = session.sealStream({ jobId, attempt: 0 }, { random })
  const response = accepted.sealStream({ jobId, attempt: 1 }, { random })
  const frankingKey = random(32)
  const plaintext = utf8('The answer is 42.')
  const [prekeyRandom, encapsulationRandom] = drawn as [Uint8Array, Uint8Array]
  return {
    suite,
    prekeyRandom: toHex(prekeyRandom),
    encapsulationRandom: toHex(encapsulationRandom),
    prekey: record,
    encodedPrekey: toHex(encodePrekey(record)),
    prekeyId: prekeyId(record),
    enc: toHex(enc),
    request: {
      attempt: 0,
      attemptNonce: toHex(request.attemptNonce),
      plaintexts: ['first', ''],
      chunks: [toHex(request.seal(utf8('first'))), toHex(request.sealFinal(utf8('')))],
    },
    response: {
      attempt: 1,
      attemptNonce: toHex(response.attemptNonce),
      plaintexts: ['one', 'two', 'three'],
      chunks: [toHex(response.seal(utf8('one'))), toHex(response.seal(utf8('two'))), toHex(response.sealFinal(utf8('three')))],
    },
    franking: {
      frankingKey: toHex(frankingKey),
      plaintext: 'The answer is 42.',
      direction: 'response',
      commitment: frank({ plaintext, frankingKey, context: { sessionId: info.sessionId, jobId, direction: 'response' } }),
    },
  }
}

/** Everything in `vectors/tacit-session.json`. */
export async function sessionVectors() {
  return {
    origin: 'packages/session/test/session-vectors.ts; docs/spec/session.md',
    info: { ...info, chainId: info.chainId.toString() },
    encodedInfo: toHex(encodeSessionInfo(info)),
    jobId,
    suites: [await suiteVector('x-wing'), await suiteVector('x25519')],
    cells: {
      payload: toHex(utf8('twenty-one bytes here')),
      cellBytes: 16,
      minCells: 4,
      cells: packCells(utf8('twenty-one bytes here'), { cellBytes: 16, minCells: 4 }).map(toHex),
    },
  }
}

if (import.meta.main) console.log(JSON.stringify(await sessionVectors(), null, 1))
