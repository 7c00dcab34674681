import { allocate, elementCount, setElement, type Tensor, type TensorType } from '../tensor.ts'
import { reductionGroups } from './reduce.ts'

/**
 * The k largest (or smallest) elements along an axis, one selection after the other: the first unused element stands until an
 * unused one beats it. A NaN beats nothing and is beaten by nothing.
 */
export function topK(
  form: { readonly axis: number; readonly k: number; readonly largest: boolean },
  x: Tensor,
  [type, indexType]: readonly [TensorType, TensorType],
): Tensor[] {
  const { starts, offsets } = reductionGroups(x.shape, [form.axis])
  const targets = reductionGroups(type.shape, [form.axis])
  const data = allocate(type.elementType, elementCount(type.shape))
  const indices = new BigInt64Array(data.length)
  for (let row = 0; row < starts.length; row++) {
    const used = new Uint8Array(offsets.length)
    const at = (i: number) => x.data[(starts[row] ?? 0) + (offsets[i] ?? 0)] ?? 0
    for (let pick = 0; pick < form.k; pick++) {
      let best = -1
      for (let i = 0; i < used.length; i++)
        if (used[i] === 0 && (best < 0 || (form.largest ? at(i) > at(best) : at(i) < at(best)))) best = i
      used[best] = 1
      const target = (targets.starts[row] ?? 0) + (targets.offsets[pick] ?? 0)
      setElement(data, target, at(best))
      indices[target] = BigInt(best)
    }
  }
  return [
    { ...type, data },
    { ...indexType, data: indices },
  ]
}
