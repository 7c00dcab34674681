// npm run bench -- leak: how well a relay that keeps everything can tell two topics apart, per release mode.
import { examine } from './leak/classifier.ts'
import { type Observation, observeTraffic, type Topic } from './leak/traffic.ts'

const medical: Topic = {
  words: 'the patient presented with acute hypertension and a differential diagnosis of cardiomyopathy requiring echocardiography'.split(
    ' ',
  ),
  promptBytes: [150, 500],
  tokens: [45, 65],
  tokenMs: [1, 3],
}
const cooking: Topic = {
  words: 'add two eggs to the pan and stir on low heat till it is set then salt to taste'.split(' '),
  promptBytes: [50, 300],
  tokens: [25, 50],
  tokenMs: [1, 2],
}
/** Like cooking, but most of its answers are of another size class than those of `medical`. */
const longCooking: Topic = { ...cooking, tokens: [120, 200] }

export async function run(report: (line: string) => void): Promise<Readonly<Record<string, number>>> {
  const paced = await observe('paced', [medical, cooking], 500)
  // The promise is about answers of one size class. A loaded machine may push a few into the next one; they are counted, not hidden.
  const sameClass = inCommonestClass(paced)
  const sameClassShare = sameClass.length / paced.length
  report(`${(100 * sameClassShare).toFixed(1)} % of the paced answers fell into one size class`)
  const judge = (name: string, observations: readonly Observation[]): number => {
    const { auc, tested } = examine(observations)
    report(`${name}: AUC ${auc.toFixed(3)} on ${tested} held-out jobs`)
    return Number(auc.toFixed(3))
  }
  return {
    'paced.auc': judge('paced, one size class', sameClass),
    'paced_unfiltered.auc': judge('paced, stragglers of other classes included', paced),
    'immediate.auc': judge('immediate', await observe('immediate', [medical, cooking], 500)),
    // What pacing does not hide: which size class an answer is in.
    'paced_across_classes.auc': judge('paced, two size classes', await observe('paced', [medical, longCooking], 200)),
    'paced.same_class_share': Number(sameClassShare.toFixed(3)),
  }
}

function observe(mode: 'paced' | 'immediate', topics: readonly [Topic, Topic], jobs: number): Promise<readonly Observation[]> {
  return observeTraffic({ mode, topics, jobs, concurrency: 8, draw: mulberry32(7) })
}

function inCommonestClass(observations: readonly Observation[]): readonly Observation[] {
  const downOf = ({ seen }: Observation): number => seen.filter(({ up }) => !up).length
  const counts = new Map<number, number>()
  for (const observation of observations) counts.set(downOf(observation), (counts.get(downOf(observation)) ?? 0) + 1)
  const [commonest] = [...counts].sort((a, b) => b[1] - a[1])
  return observations.filter((observation) => downOf(observation) === commonest?.[0])
}

/** A small generator with a seed, so that the plan of topics is the same in every run (T. Ettinger, public domain). */
function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
