// Q2(f2) + c Q1(f2), slot by slot (section 4 of docs/spec/proofs.md), from the gate's description as data.
import type { Coefficients, Gate } from '../relation/gate.ts'
import type { Node, Recorder } from './recorder.ts'

/** What the value of a gate depends on. */
export type GateInputs = {
  readonly f2: readonly Node[]
  readonly slots: readonly Node[]
  readonly alpha: Node
  readonly lambda: readonly Node[]
  readonly c: Node
}

/** The value of the gate at the combined cells. */
export function traceGate(m: Recorder, gate: Gate, { f2, slots, alpha, lambda, c }: GateInputs): Node {
  const weigh = (coefficients: Coefficients): Node =>
    coefficients.reduce((sum, [constraint, coefficient]) => m.fma(m.scalar(coefficient), lambda[constraint] ?? m.zero, sum), m.zero)
  const quadratic = gate.quadratic.map((term) => weigh(term.coefficients))
  const linear = gate.linear.map((term) => m.mul(c, weigh(term.coefficients)))
  let value = m.zero
  slots.forEach((weight, slot) => {
    const cells = f2.slice(slot * gate.cells, (slot + 1) * gate.cells)
    // sum of alpha^k (b_k^2 - c b_k) by Horner's rule
    let sum = m.zero
    for (const b of cells.toReversed()) sum = m.fma(sum, alpha, m.mul(b, m.sub(b, c)))
    const columns = gate.columns.map((column) => {
      let combined = m.zero
      column.forEach((coefficient, k) => {
        if (coefficient !== 0n) combined = m.fma(m.scalar(coefficient), cells[k] ?? m.zero, combined)
      })
      return combined
    })
    const column = (k: number): Node => columns[k] ?? m.zero
    gate.quadratic.forEach(({ a, b }, k) => {
      sum = m.fma(quadratic[k] ?? m.zero, m.mul(column(a), column(b)), sum)
    })
    gate.linear.forEach(({ a }, k) => {
      sum = m.fma(linear[k] ?? m.zero, column(a), sum)
    })
    value = m.fma(weight, sum, value)
  })
  return value
}
