// npm run check: lint and format, types, floors, generated files. What CI runs first.
import { nodeFlags, runCommand } from './command.ts'

const steps: readonly (readonly [string, string, readonly string[]])[] = [
  [
    'lint and format',
    'node_modules/.bin/biome',
    ['ci', '--error-on-warnings', '--max-diagnostics=50', `--colors=${process.stdout.isTTY ? 'force' : 'off'}`, '.'],
  ],
  ['types', 'node_modules/.bin/tsc', ['-p', 'tsconfig.json']],
  ['floors', process.execPath, [...nodeFlags, 'tools/floors.ts']],
  ['generated files', process.execPath, [...nodeFlags, 'tools/generate.ts', '--check']],
]
const failed = steps.filter(([title, command, args]) => !runCommand(title, command, args))
if (failed.length > 0) {
  console.error(`check failed: ${failed.map(([title]) => title).join(', ')}. \`npm run fix\` mends what can be mended automatically.`)
  process.exit(1)
}
