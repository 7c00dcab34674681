// Where a Chromium is, for the tests that run in one. None is downloaded.
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const elsewhere = ['/Applications/Chromium.app/Contents/MacOS/Chromium', '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome']

/** The path of the first one that can be executed: `TACIT_CHROMIUM`, then the PATH, then where macOS keeps it. */
export function findChromium(): string | undefined {
  const chosen = process.env['TACIT_CHROMIUM']
  if (chosen !== undefined) return isExecutable(chosen) ? chosen : undefined
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  return [...folders.flatMap((folder) => names.map((name) => join(folder, name))), ...elsewhere].find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
