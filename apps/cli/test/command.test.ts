import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type Command, helpText, integerOf, parseCommandLine, textsOf } from '../src/command.ts'
import { commandNames, findCommand, overview } from '../src/commands.ts'
import { formatTokens, parseTokens, printable, shorten, table } from '../src/format.ts'

const sample: Command = {
  name: 'sample',
  summary: 'A sample.',
  usage: 'tacit sample',
  options: {
    count: { type: 'string', value: 'N', help: 'how many' },
    tag: { type: 'string', multiple: true, help: 'may repeat' },
  },
  run: async () => 0,
}

describe('the command line', () => {
  it('reads options, repeated options and arguments', () => {
    const { values, positionals } = parseCommandLine(sample, ['one', '--count', '3', '--tag', 'a', '--tag', 'b', '--json'])
    assert.deepEqual(positionals, ['one'])
    assert.equal(values['json'], true)
    assert.deepEqual(textsOf(values, 'tag'), ['a', 'b'])
    assert.deepEqual(textsOf(values, 'missing'), [])
    assert.equal(integerOf(values, 'count', { fallback: 1, min: 0, max: 9, usage: '' }), 3)
  })

  it('refuses options that do not exist, values that are missing and numbers out of range', () => {
    for (const args of [['--nope'], ['--count']]) assert.throws(() => parseCommandLine(sample, args), { code: 'cli.usage' })
    for (const text of ['-1', '10', '1.5', 'x', '', '1e1'])
      assert.throws(() => integerOf({ count: text }, 'count', { fallback: 1, min: 0, max: 9, usage: '' }), { code: 'cli.usage' })
  })

  it('has help for every command, and every command in the overview', async () => {
    for (const name of commandNames) {
      const command = await findCommand(name)
      assert.equal(command?.name, name)
      const help = command === undefined ? '' : helpText(command)
      for (const text of ['Usage: tacit', '--data', '--json', '--help']) assert.ok(help.includes(text), `${name}: ${text}`)
      assert.ok(overview().includes(`  ${name} `))
    }
    assert.equal(await findCommand('constructor'), undefined)
  })
})

describe('amounts and tables', () => {
  it('shows amounts without zeros and never shows something as nothing', () => {
    assert.equal(formatTokens(0n), '0 TACIT')
    assert.equal(formatTokens(1n), '<0.000001 TACIT')
    assert.equal(formatTokens(12_500_000_000_000_000_000n), '12.5 TACIT')
    assert.equal(formatTokens(10n ** 15n), '0.001 TACIT')
  })

  it('reads every amount that it shows in full, and nothing else', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 10n ** 12n), (millionths) => {
        const wei = millionths * 10n ** 12n
        assert.equal(parseTokens(formatTokens(wei).replace(' TACIT', '')), wei)
      }),
    )
    for (const text of ['', '-1', '1,5', '.5', '1.', '1e3', ' 1', '0x1', '1.0000000000000000001', '9'.repeat(19)])
      assert.equal(parseTokens(text), undefined, text)
  })

  it('aligns columns and shortens long hex', () => {
    assert.deepEqual(
      table([
        ['a', 'b'],
        ['long', 'c'],
      ]),
      ['a     b', 'long  c'],
    )
    assert.equal(shorten(`0x${'12'.repeat(20)}`), '0x121212…1212')
    assert.equal(shorten('0x1234'), '0x1234')
  })
})

describe('text from strangers', () => {
  it('cannot command the terminal', () => {
    assert.equal(printable('a\u001b]52;c;aGk=\u0007b\u009bx\r\n\tc'), 'a\ufffd]52;c;aGk=\ufffdb\ufffdx\ufffd\n\tc')
  })
})
