import type { TensorData } from '@tacit/model'

/** One element as a number. */
export function numberAt(data: TensorData, index: number): number {
  return Number(data[index] ?? 0)
}
