// Products in pieces: stretches of a row axis, or of the panels of columns. Each output keeps its one sum in its one order.
import { maskIncrement, maskMultiplier, packedStepBytes } from '../kernels/gemm.ts'
import { storageBytes } from '../program/program.ts'
import type { PlacedOperand } from './epilogue.ts'
import type { Cut } from './kernel-call.ts'
import { chooseTile, depthUnits, type ProductStep, productCall } from './product-call.ts'

export function productCuts(step: ProductStep): readonly Cut[] {
  const { rowShape, b } = step
  const last = rowShape.length - 1
  const rows = [...rowShape.entries()]
    .filter(([, size]) => size > 1)
    .map(([axis, size]): Cut => {
      const unit = axis === last ? chooseTile(size, b.columns).tile : 1
      return { size, unit, piece: (from, to) => [productCall(rowsOf(step, { axis, from, to })).call] }
    })
  const panels = Math.ceil(b.columns / (4 * b.vectors))
  return panels > 1 ? [...rows, { size: panels, piece: (from, to) => [productCall(panelsOf(step, { from, to })).call] }] : rows
}

function rowsOf(step: ProductStep, { axis, from, to }: { axis: number; from: number; to: number }): ProductStep {
  const { a, c } = step
  const skippedIn = (strides: readonly number[], bytes: number): number => from * (strides[axis] ?? 0) * bytes
  const [aSkipped, cSkipped] = [
    skippedIn(a.rowStrides, storageBytes[a.view.storage]),
    skippedIn(c.rowStrides, storageBytes[c.view.storage]),
  ]
  return {
    ...step,
    rowShape: step.rowShape.map((size, other) => (other === axis ? to - from : size)),
    a: { ...a, offsetBytes: a.offsetBytes + aSkipped },
    c: { ...c, offsetBytes: c.offsetBytes + cSkipped },
    operands: step.operands.map((operand) => moved(operand, operand.kind === 'distance' ? cSkipped : 0)),
  }
}

function panelsOf(step: ProductStep, { from, to }: { from: number; to: number }): ProductStep {
  const { b, c } = step
  const width = 4 * b.vectors
  const panelBytes = b.layout.layout === 'rows' ? 16 * b.vectors : depthUnits(step) * packedStepBytes(b.arithmetic, b.vectors)
  const cSkipped = from * width * storageBytes[c.view.storage]
  let firstMask = b.indirect?.firstMask ?? 0
  for (let panel = 0; panel < from; panel++) firstMask = (Math.imul(firstMask, maskMultiplier) + maskIncrement) | 0
  const withOperand = step.post.filter(({ operand }) => operand !== 'none')
  return {
    ...step,
    wholeColumns: b.columns,
    b: {
      ...b,
      columns: Math.min(b.columns, to * width) - from * width,
      ...(b.indirect
        ? { indirect: { ...b.indirect, firstMask, tableOffset: (b.indirect.tableOffset ?? 0) + 4 * from } }
        : { offsetBytes: b.offsetBytes + from * panelBytes }),
    },
    c: { ...c, offsetBytes: c.offsetBytes + cSkipped },
    operands: step.operands.map((operand, i) => {
      const post = withOperand[i]
      if (operand.kind === 'distance') return moved(operand, cSkipped)
      return moved(operand, post?.operand === 'column' ? from * b.vectors * (post.vectorBytes ?? 16) : 0)
    }),
  }
}

function moved(operand: PlacedOperand, bytes: number): PlacedOperand {
  return bytes === 0 ? operand : { ...operand, offsetBytes: operand.offsetBytes + bytes }
}
