// Writes vectors/q8.json. Run only when the version of docs/spec/q8.md changes: the vectors are frozen.
import { writeFileSync } from 'node:fs'
import { encodeQ8, q8Commitment } from '../src/index.ts'
import { layerKinds, randomLayerSample } from './q8-samples.ts'
import { slowRun } from './slow-q8.ts'

const vectors = layerKinds.flatMap((kind) =>
  [11, 12].map((seed) => {
    const { model, inputs } = randomLayerSample(kind, seed)
    const values = inputs.map((input) => [...input])
    return {
      name: `${kind} ${seed}`,
      encoding: Buffer.from(encodeQ8(model)).toString('hex'),
      commitment: q8Commitment(model),
      inputs: values,
      activations: slowRun(model, values),
    }
  }),
)
const origin = 'docs/spec/q8.md version 1; activations computed by the BigInt implementation test/slow-q8.ts'
writeFileSync(new URL('./vectors/q8.json', import.meta.url), `${JSON.stringify({ origin, vectors })}\n`)
