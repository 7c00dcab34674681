import type { ValueId } from '../../graph.ts'
import { Expressions } from '../expressions.ts'
import type { NodeReader, OperatorReader } from '../node-reader.ts'

/** -weight[target] * scores[target] per place, 0 where the target is ignored, then reduced. */
function likelihoodLoss(node: NodeReader, e: Expressions, scores: ValueId): ValueId {
  const [target, weights] = [node.input(1), node.optional(2)]
  node.expectTypes([target], ['int32', 'int64'])
  const [, classes = 1, ...places] = e.shape(scores)
  const batch = e.shape(scores)[0] ?? 1
  const column = e.reshape(e.cast(target, 'int64'), [batch, 1, ...places])
  const hit = e.binary('Equal', e.positions('int64', places.length + 2, 1, classes), column)
  const ignored = node.has('ignore_index') ? e.binary('Equal', column, node.integer('ignore_index')) : undefined
  const hits = ignored === undefined ? hit : e.binary('And', hit, e.unary('Not', ignored))
  const perClass = weights === undefined ? e.filled('float32', [], 1) : e.reshape(weights, [1, classes, ...places.map(() => 1)])
  const chosen = e.reduce('ReduceSum', e.where(hits, e.multiply(scores, perClass), 0), [1])
  const loss = e.unary('Neg', chosen)
  const reduction = node.text('reduction', 'mean')
  const all = e.shape(loss).map((_, axis) => axis)
  if (reduction === 'none') return loss
  const sum = e.reduce('ReduceSum', loss, all)
  if (reduction === 'sum') return sum
  if (reduction !== 'mean') throw node.unsupported(`its reduction is ${reduction}`, 'none, sum, mean')
  const weight = e.reduce('ReduceSum', e.where(hits, perClass, 0), [1])
  return e.divide(sum, e.reduce('ReduceSum', weight, all))
}

function negativeLogLikelihood(node: NodeReader): void {
  const scores = node.input(0)
  node.expectTypes([scores], ['float32'])
  node.emitAlias(0, likelihoodLoss(node, new Expressions(node), scores))
}

function softmaxCrossEntropy(node: NodeReader): void {
  const scores = node.input(0)
  node.expectTypes([scores], ['float32'])
  const logarithms = node.emitInner({ operator: 'LogSoftmax', axis: 1 }, [scores], node.typeOf(scores))
  node.emitAlias(0, likelihoodLoss(node, new Expressions(node), logarithms))
  node.emitAlias(1, logarithms)
}

/** Losses, as files that were exported from training have them. */
export const lossReaders: Readonly<Record<string, OperatorReader>> = {
  NegativeLogLikelihoodLoss: negativeLogLikelihood,
  SoftmaxCrossEntropyLoss: softmaxCrossEntropy,
}
