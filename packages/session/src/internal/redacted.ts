const inspectCustom = Symbol.for('nodejs.util.inspect.custom')

/** Base of objects that hold key material in private fields: every way of printing or serialising them says "[redacted]". */
export abstract class Redacted {
  toJSON(): string {
    return '[redacted]'
  }

  toString(): string {
    return '[redacted]'
  }

  [Symbol.toPrimitive](): string {
    return '[redacted]'
  }

  [inspectCustom](): string {
    return '[redacted]'
  }
}
