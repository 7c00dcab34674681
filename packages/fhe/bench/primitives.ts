import type { Metrics } from '../../../tools/bench.ts'
export async function benchPrimitives(_report: (line: string) => void): Promise<Metrics> {
  return {}
}
