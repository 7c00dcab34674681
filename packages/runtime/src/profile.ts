// One canonical line per execution profile. Receipts carry it, and a replayer with a different line refuses to judge.

/** What an engine pins; every value is free of `;`, `=` and white space. */
export type ProfileFields = Readonly<Record<string, string | number>>

/**
 * `name=value` pairs in the order given, joined by `;`, after the version of the format.
 *
 * @example
 * formatProfile({ engine: 'llama.cpp', flash: 'off', threads: 1 }) // 'profile/1;engine=llama.cpp;flash=off;threads=1'
 */
export function formatProfile(fields: ProfileFields): string {
  const pairs = Object.entries(fields).map(([name, value]) => `${clean(name)}=${clean(String(value))}`)
  return ['profile/1', ...pairs].join(';')
}

/** Every run of characters outside a conservative set becomes one `_`: the line stays one line, one field stays one field. */
function clean(text: string): string {
  return text.replace(/[^A-Za-z0-9.:+@/-]+/g, '_')
}
