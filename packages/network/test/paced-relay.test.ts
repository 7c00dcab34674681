import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { areaUnderCurve, examine } from '../bench/leak/classifier.ts'
import { type Observation, observeTraffic, type Topic } from '../bench/leak/traffic.ts'

// One word at once, or many: both far below what the smallest class takes in time and bytes.
const terse: Topic = { words: ['yes'], promptBytes: [5, 5], tokens: [1, 1], tokenMs: [0, 0] }
const chatty: Topic = { words: ['extraordinarily', 'a'], promptBytes: [2_000, 3_000], tokens: [17, 20], tokenMs: [0, 0] }

function alternating(): () => number {
  let state = 1
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
}

const sizes = ({ seen }: Observation, direction: 'up' | 'down') =>
  seen.flatMap(({ up, bytes }) => ((direction === 'up') === up ? [bytes] : [])).join()

describe('what a relay sees of sealed streams', { timeout: 60_000 }, () => {
  it('paced: the same number and sizes of messages, in both directions, whatever was asked and answered', async () => {
    const observations = await observeTraffic({ mode: 'paced', topics: [terse, chatty], jobs: 12, concurrency: 12, draw: alternating() })
    assert.deepEqual(new Set(observations.map(({ topic }) => topic)), new Set([0, 1]))
    assert.equal(observations.length, 12)
    assert.equal(new Set(observations.map((observation) => sizes(observation, 'down'))).size, 1)
    assert.equal(new Set(observations.map((observation) => sizes(observation, 'up'))).size, 1)
  })

  it('immediate: everything shows, as documented', async () => {
    const observations = await observeTraffic({
      mode: 'immediate',
      topics: [terse, chatty],
      jobs: 12,
      concurrency: 12,
      draw: alternating(),
    })
    const byTopic = [0, 1].map((topic) => observations.filter((observation) => observation.topic === topic))
    const shortest = Math.min(...(byTopic[1] ?? []).map(({ seen }) => seen.length))
    assert.ok((byTopic[0] ?? []).every(({ seen }) => seen.length < shortest))
  })

  it('the classifier finds a difference that is there, and none that is not', () => {
    const fake = (topic: 0 | 1, bytes: number): Observation => ({
      topic,
      seen: Array.from({ length: 10 }, (_, i) => ({ atMs: i, up: false, bytes })),
    })
    const draw = alternating()
    const topics = Array.from({ length: 200 }, () => (draw() < 0.5 ? 0 : 1) as 0 | 1)
    assert.equal(examine(topics.map((topic) => fake(topic, 100 + topic))).auc, 1)
    assert.equal(examine(topics.map((topic) => fake(topic, 100))).auc, 0.5)
    assert.equal(
      areaUnderCurve([
        { score: 1, label: 0 },
        { score: 2, label: 1 },
        { score: 2, label: 0 },
      ]),
      0.75,
    )
  })
})
