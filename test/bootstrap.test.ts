import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { repositoryRoot } from '../tools/repository.ts'

describe('what the launcher starts', () => {
  it('ends when the launcher is killed with SIGKILL, and passes its exit code on otherwise', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tacit launch '))
    try {
      writeFileSync(
        join(folder, 'stays.mjs'),
        `process.once('disconnect', () => process.exit(0)); setInterval(() => {}, 1000); console.log(process.pid)`,
      )
      writeFileSync(join(folder, 'ends.mjs'), 'process.exit(7)')
      const staying = launch(join(folder, 'stays.mjs'))
      const pid = Number(await firstLine(staying))
      assert.ok(isAlive(pid))
      staying.kill('SIGKILL')
      for (let tries = 0; tries < 100 && isAlive(pid); tries++) await new Promise((resolve) => setTimeout(resolve, 50))
      assert.ok(!isAlive(pid))
      const ending = launch(join(folder, 'ends.mjs'))
      assert.equal(await new Promise((resolve) => ending.once('exit', resolve)), 7)
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

function launch(entry: string): ChildProcess {
  const script = `import { launch } from './tools/bootstrap/launch.mjs'; launch(${JSON.stringify(repositoryRoot)}, ${JSON.stringify(entry)}, [])`
  return spawn(process.execPath, ['--input-type=module', '-e', script], { cwd: repositoryRoot, stdio: ['ignore', 'pipe', 'inherit'] })
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.stdout?.once('data', (chunk: Buffer) => resolve(chunk.toString()))
    child.once('error', reject)
  })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
