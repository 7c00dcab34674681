import type { ValueId } from '../../graph.ts'
import { Expressions } from '../expressions.ts'
import type { NodeReader, OperatorReader } from '../node-reader.ts'

/** A tensor whose axes are letters, each once. */
type Labelled = { readonly id: ValueId; readonly axes: readonly string[] }

/** The letters of every operand and of the result, with the axes of "..." spelled out as digits. */
function termsOf(
  node: NodeReader,
  ids: readonly ValueId[],
): { readonly operands: readonly (readonly string[])[]; readonly result: readonly string[] } {
  const equation = node.text('equation', '').replaceAll(/\s/g, '')
  const [left = '', right] = equation.split('->')
  const texts = left.split(',')
  if (texts.length !== ids.length || !/^[A-Za-z.,]*(?:->[A-Za-z.]*)?$/.test(equation))
    throw node.invalid(`the equation ${JSON.stringify(equation)} does not fit ${ids.length} operands`)
  const ranks = texts.map((text, index) => node.shapeOf(ids[index] ?? '').length - text.replace('...', '').length)
  const hidden = Math.max(0, ...texts.map((text, index) => (text.includes('...') ? (ranks[index] ?? 0) : 0)))
  const spelled = (text: string, rank: number): string[] => {
    const [before = '', after] = text.split('...')
    const own = Array.from({ length: rank }, (_, axis) => String(hidden - rank + axis))
    return after === undefined ? [...before] : [...before, ...own, ...after]
  }
  const operands = texts.map((text, index) => spelled(text, text.includes('...') ? (ranks[index] ?? 0) : 0))
  for (const [index, axes] of operands.entries())
    if (axes.length !== node.shapeOf(ids[index] ?? '').length) throw node.invalid(`the equation does not fit the rank of operand ${index}`)
  const letters = [...left.replaceAll(/[.,]/g, '')].sort()
  const once = letters.filter((letter) => letters.indexOf(letter) === letters.lastIndexOf(letter))
  const implicit = [...Array.from({ length: hidden }, (_, axis) => String(axis)), ...once]
  return { operands, result: right === undefined ? implicit : spelled(right, hidden) }
}

/** A repeated letter keeps its diagonal. */
function diagonal(e: Expressions, { id, axes }: Labelled): Labelled {
  const repeated = axes.find((axis, index) => axes.indexOf(axis) !== index)
  if (repeated === undefined) return { id, axes }
  const [first, second] = [axes.indexOf(repeated), axes.lastIndexOf(repeated)]
  const size = e.shape(id)[first] ?? 1
  const rest = axes.map((_, index) => index).filter((index) => index !== first && index !== second)
  const moved = e.transpose(id, [...rest, first, second])
  const kept = rest.map((index) => e.shape(id)[index] ?? 1)
  const flat = e.reshape(moved, [...kept, size * size])
  const picked = e.slice(flat, kept.length, { start: 0, count: size, step: size + 1 })
  return diagonal(e, { id: picked, axes: [...rest.map((index) => axes[index] ?? ''), repeated] })
}

/** Sums the axes that nothing needs any more. */
function summed(e: Expressions, { id, axes }: Labelled, needed: ReadonlySet<string>): Labelled {
  const gone = axes.map((axis, index) => (needed.has(axis) ? -1 : index)).filter((index) => index >= 0)
  return { id: e.reduce('ReduceSum', id, gone), axes: axes.filter((axis) => needed.has(axis)) }
}

/** Two operands become one matrix product: shared kept letters are the batch, shared lost ones the depth. */
function contracted(e: Expressions, a: Labelled, b: Labelled, needed: ReadonlySet<string>): Labelled {
  const sizeOf = (axis: string): number =>
    Math.max(...[a, b].map(({ id, axes }) => (axes.includes(axis) ? (e.shape(id)[axes.indexOf(axis)] ?? 1) : 1)))
  const shared = a.axes.filter((axis) => b.axes.includes(axis))
  const [batch, depth] = [shared.filter((axis) => needed.has(axis)), shared.filter((axis) => !needed.has(axis))]
  const [rows, columns] = [a.axes.filter((axis) => !shared.includes(axis)), b.axes.filter((axis) => !shared.includes(axis))]
  const product = (axes: readonly string[]) => axes.reduce((total, axis) => total * sizeOf(axis), 1)
  // A broadcast axis of size 1 in one operand is repeated, so that depth and batch have one size each.
  const arranged = ({ id, axes }: Labelled, order: readonly string[], shape: readonly number[]): ValueId => {
    const moved = e.transpose(
      id,
      order.map((axis) => axes.indexOf(axis)),
    )
    const full = order.map(sizeOf)
    const whole = full.every((size, index) => size === e.shape(moved)[index]) ? moved : e.expand(moved, full)
    return e.reshape(whole, shape)
  }
  const left = arranged(a, [...batch, ...rows, ...depth], [product(batch), product(rows), product(depth)])
  const right = arranged(b, [...batch, ...depth, ...columns], [product(batch), product(depth), product(columns)])
  const axes = [...batch, ...rows, ...columns]
  return { id: e.reshape(e.matMul(left, right), axes.map(sizeOf)), axes }
}

/** Sums of products over named axes: transpositions, reductions and one matrix product per further operand. */
function einsum(node: NodeReader): void {
  const e = new Expressions(node)
  const ids = node.inputs()
  node.expectTypes(ids, ['float32'])
  const { operands, result } = termsOf(node, ids)
  const labelled = operands.map((axes, index) => diagonal(e, { id: ids[index] ?? '', axes }))
  const neededAfter = (index: number) => new Set([...result, ...labelled.slice(index).flatMap(({ axes }) => axes)])
  const [first, ...rest] = labelled
  if (first === undefined) throw node.invalid('it has no operands')
  let sum = summed(e, first, neededAfter(1))
  for (const [index, next] of rest.entries()) {
    const needed = neededAfter(index + 2)
    const only = summed(e, next, new Set([...needed, ...sum.axes]))
    sum = contracted(e, sum, only, needed)
  }
  sum = summed(e, sum, new Set(result))
  if (result.some((axis) => !sum.axes.includes(axis))) throw node.invalid('its result has an axis that no operand has')
  node.emitAlias(
    0,
    e.transpose(
      sum.id,
      result.map((axis) => sum.axes.indexOf(axis)),
    ),
  )
}

/** Einstein sums. */
export const einsumReaders: Readonly<Record<string, OperatorReader>> = { Einsum: einsum }
