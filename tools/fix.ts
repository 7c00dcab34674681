// npm run fix: formats and applies safe lint fixes; further arguments limit it to some paths.
import { runCommand } from './command.ts'

const paths = process.argv.slice(2)
const ok = runCommand('format and safe fixes', 'node_modules/.bin/biome', ['check', '--write', ...(paths.length > 0 ? paths : ['.'])])
process.exit(ok ? 0 : 1)
