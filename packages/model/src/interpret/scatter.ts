import { InvalidGraphError } from '../errors.ts'
import type { Operation } from '../graph.ts'
import { getNumber, setElement, type Tensor, type TensorType } from '../tensor.ts'

const f32 = Math.fround

type Reduction = Extract<Operation, { operator: 'Scatter' }>['reduction']

function combine(reduction: Reduction, before: number | bigint, update: number | bigint): number | bigint {
  if (reduction === 'none') return update
  if (typeof before === 'bigint' || typeof update === 'bigint') return combineIntegers(reduction, BigInt(before), BigInt(update))
  switch (reduction) {
    case 'add':
      return f32(before + update)
    case 'mul':
      return f32(before * update)
    case 'min':
      return Math.min(before, update)
    case 'max':
      return Math.max(before, update)
  }
}

function combineIntegers(reduction: Exclude<Reduction, 'none'>, before: bigint, update: bigint): bigint {
  switch (reduction) {
    case 'add':
      return before + update
    case 'mul':
      return before * update
    case 'min':
      return before < update ? before : update
    case 'max':
      return before > update ? before : update
  }
}

/** Rows of a copy of `data` replaced by, or combined with, `updates`; later updates see earlier ones. */
export function scatter(reduction: Reduction, [data, indices, updates]: readonly [Tensor, Tensor, Tensor], type: TensorType): Tensor {
  const [rows = 0, width = 1] = type.shape
  const result = data.data.slice()
  const isFloat = type.elementType === 'float32'
  for (let i = 0; i < indices.data.length; i++) {
    const row = getNumber(indices.data, i)
    if (!(row >= 0 && row < rows)) throw new InvalidGraphError('a Scatter', `index ${row} is outside ${rows} rows`)
    for (let k = 0; k < width; k++) {
      const [before, update] = [result[row * width + k] ?? 0, updates.data[i * width + k] ?? 0]
      const value =
        isFloat || reduction === 'none' ? combine(reduction, before, update) : combine(reduction, BigInt(before), BigInt(update))
      setElement(
        result,
        row * width + k,
        typeof value === 'bigint' && !(typeof before === 'bigint') ? Number(BigInt.asIntN(32, value)) : value,
      )
    }
  }
  return { ...type, data: result }
}
