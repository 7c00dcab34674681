import type { LayerWindow } from '@tacit/protocol'
import type { WindowAxis } from './forms.ts'

/** The two axes of a window, rows first. */
export function windowAxes(window: LayerWindow): readonly [WindowAxis, WindowAxis] {
  return [axis(window, 0, window.height), axis(window, 1, window.width)]
}

function axis(window: LayerWindow, k: number, input: number): WindowAxis {
  const kernel = window.kernel[k] ?? 1
  const stride = window.strides[k] ?? 1
  const dilation = window.dilations[k] ?? 1
  const pad = window.pads[k] ?? 0
  const end = window.pads[k + 2] ?? 0
  const output = Math.floor((input + pad + end - dilation * (kernel - 1) - 1) / stride) + 1
  return { input, output, kernel, stride, dilation, pad }
}
