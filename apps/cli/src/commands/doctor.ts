import type { Command } from '../command.ts'
import { diagnose, type Finding } from '../diagnosis.ts'

export const doctor: Command = {
  name: 'doctor',
  summary: 'Checks this machine, this directory and its network, and says what to do about what is wrong.',
  usage: 'tacit doctor',
  details: ['Exit code 1 when something is wrong (FAIL); warnings alone give 0. Nothing is changed.'],
  async run({ dataDir, say, json, signal }) {
    const findings: Finding[] = []
    for await (const finding of diagnose({ dataDir, signal })) {
      findings.push(finding)
      const { status, check, message, todo } = finding
      say(`${status}  ${check.padEnd(10)} ${message}${todo === undefined ? '' : `\n                 -> ${todo}`}`)
    }
    const failed = findings.filter(({ status }) => status === 'FAIL').length
    if (json) console.log(JSON.stringify({ ok: failed === 0, findings }))
    return failed === 0 ? 0 : 1
  },
}
