import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseAddress, parseBytes32 } from '@tacit/protocol'
import fc from 'fast-check'
import { encodeInvitation, type Invitation, parseInvitation } from '../src/invitation.ts'

const at = (digit: string) => parseAddress(`0x${digit.repeat(40)}`)
const core = { modelRegistry: at('3'), workerRegistry: at('4'), paymentPool: at('5') }
const invitation: Invitation = {
  type: 'tacit-invitation/1',
  network: {
    type: 'tacit-network/1',
    chainUrl: 'http://192.0.2.7:7102',
    relayUrl: 'ws://192.0.2.7:7100',
    dispatcherUrl: 'http://192.0.2.7:7101',
    dispatcher: at('7'),
    deployment: {
      type: 'tacit-deployment/1',
      chainId: '259825784052269',
      blockNumber: '7',
      contracts: { tacitToken: at('1'), aiConfig: at('2'), ...core, faucet: at('6') },
    },
  },
  checkpoint: {
    type: 'tacit-checkpoint/1',
    chainId: '259825784052269',
    blockNumber: '25',
    blockHash: parseBytes32(`0x${'ab'.repeat(32)}`),
    contracts: core,
  },
}
const encoded = encodeInvitation(invitation)

describe('an invitation', () => {
  it('comes back as it was, also wrapped over lines', () => {
    assert.deepEqual(parseInvitation(encoded), invitation)
    assert.deepEqual(parseInvitation(`  ${encoded.replace(/.{76}/g, '$&\n')}\n`), invitation)
  })

  it('is refused when it was cut anywhere', () => {
    for (let length = 0; length < encoded.length; length++)
      assert.throws(() => parseInvitation(encoded.slice(0, length)), { code: 'cli.invitation-malformed' })
  })

  it('is refused when one character was altered', () => {
    fc.assert(
      fc.property(fc.nat(encoded.length - 1), fc.constantFrom(...'AZaz09-_.'), (index, character) => {
        fc.pre(encoded[index] !== character)
        const altered = encoded.slice(0, index) + character + encoded.slice(index + 1)
        assert.throws(
          () => parseInvitation(altered),
          (error) => error instanceof Error && 'code' in error && /^cli\.invitation-(malformed|version)$/.test(String(error.code)),
        )
      }),
      { numRuns: 500 },
    )
  })

  it('is refused when it is of another version, garbage or endless', () => {
    assert.throws(() => parseInvitation(encoded.replace('-1.', '-2.')), { code: 'cli.invitation-version' })
    for (const text of ['', 'hello', '{}', 'x'.repeat(100_000), `${encoded}.more`, `${encoded}${encoded}`])
      assert.throws(() => parseInvitation(text), { code: 'cli.invitation-malformed' })
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (text) => {
        assert.throws(() => parseInvitation(text), { code: 'cli.invitation-malformed' })
      }),
    )
  })

  it('is refused when its parts contradict each other or an address is not one', () => {
    const { network, checkpoint } = invitation
    const bad: readonly Invitation[] = [
      { ...invitation, checkpoint: { ...checkpoint, chainId: '5' } },
      { ...invitation, checkpoint: { ...checkpoint, contracts: { ...core, paymentPool: at('9') } } },
      { ...invitation, network: { ...network, chainUrl: 'file:///etc/passwd' } },
      { ...invitation, network: { ...network, relayUrl: 'http://192.0.2.7' } },
      { ...invitation, network: { ...network, dispatcherUrl: 'not an address' } },
    ]
    for (const entry of bad) assert.throws(() => parseInvitation(encodeInvitation(entry)), { code: 'cli.invitation-malformed' })
  })
})
