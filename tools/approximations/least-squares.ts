/** Solves min |A x - b| for a tall matrix by Householder reflections; rows are overwritten. */
export function leastSquares(rows: Float64Array[], target: Float64Array): Float64Array {
  const columns = rows[0]?.length ?? 0
  for (let k = 0; k < columns; k++) reflect(rows, target, k)
  const solution = new Float64Array(columns)
  for (let k = columns - 1; k >= 0; k--) {
    let sum = get(target, k)
    for (let j = k + 1; j < columns; j++) sum -= entry(rows, k, j) * get(solution, j)
    solution[k] = sum / entry(rows, k, k)
  }
  return solution
}

function reflect(rows: Float64Array[], target: Float64Array, k: number): void {
  let norm = 0
  for (let i = k; i < rows.length; i++) norm += entry(rows, i, k) ** 2
  const alpha = entry(rows, k, k) > 0 ? -Math.sqrt(norm) : Math.sqrt(norm)
  const v = Float64Array.from(rows, (row, i) => (i < k ? 0 : get(row, k)))
  v[k] = get(v, k) - alpha
  const scale = 2 / v.reduce((sum, x) => sum + x * x, 0)
  const columns = rows[0]?.length ?? 0
  for (let j = k; j < columns; j++) {
    let dot = 0
    for (let i = k; i < rows.length; i++) dot += get(v, i) * entry(rows, i, j)
    for (const [i, row] of rows.entries()) if (i >= k) row[j] = get(row, j) - scale * dot * get(v, i)
  }
  let dot = 0
  for (let i = k; i < rows.length; i++) dot += get(v, i) * get(target, i)
  for (let i = k; i < rows.length; i++) target[i] = get(target, i) - scale * dot * get(v, i)
}

function get(array: Float64Array, index: number): number {
  return array[index] ?? 0
}

function entry(rows: readonly Float64Array[], i: number, j: number): number {
  return rows[i]?.[j] ?? 0
}
