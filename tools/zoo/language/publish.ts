import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryRoot } from '../../repository.ts'
import type { ModelShape, TrainingPlan } from './config.ts'
import { contextTokens, modelFile } from './model-file.ts'
import type { Encoding } from './quantise.ts'
import type { Trained } from './train.ts'

const folder = 'zoo/language'
const shippedEncodings: readonly Encoding[] = ['f16', 'q8_0', 'q4_0']

/** What every face says beside an answer of this model. */
export const notice =
  'This is a real transformer, but a tiny one: it babbles short tales from the grammar it was trained on. It is not an assistant and knows nothing.'

/** Writes the GGUF files and the card. */
export function publish(shape: ModelShape, plan: TrainingPlan, { weights, facts }: Trained): void {
  mkdirSync(join(repositoryRoot, folder), { recursive: true })
  const files = shippedEncodings.map((encoding) => {
    const file = `babble-${encoding}.gguf`
    const bytes = modelFile(shape, weights, encoding, `tacit-babble-${encoding}`)
    writeFileSync(join(repositoryRoot, folder, file), bytes)
    return { name: `babble-${encoding}`, file, encoding, sizeBytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
  })
  const card = {
    name: 'babble',
    notice,
    licence: 'Apache-2.0',
    origin: 'Trained from scratch by tools/zoo/language/train.ts on text drawn from the grammar in tools/zoo/language/grammar.ts.',
    architecture: { kind: 'llama', ...shape, contextTokens, tokenizer: 'bytes and 5 control tokens' },
    training: { ...plan, ...facts, bitsPerByte: Number(facts.bitsPerByte.toFixed(4)) },
    files,
  }
  writeFileSync(join(repositoryRoot, folder, 'card.json'), `${JSON.stringify(card, null, 2)}\n`)
}
