/**
 * What somebody has borrowed, to be given back all at once. Like a DisposableStack, but small while it holds one thing, which is
 * what most of them hold for hours.
 */
export class Scope implements Disposable {
  #first: Disposable | undefined;
  #others: Disposable[] | undefined;
  #isDisposed = false;

  get disposed(): boolean {
    return this.#isDisposed;
  }

  /** Holds one more thing; throws if the scope has ended already. */
  use(held: Disposable): void {
    if (this.#isDisposed) throw new ReferenceError("the scope has ended");
    if (this.#first === undefined) this.#first = held;
    else if (this.#others === undefined) this.#others = [held];
    else this.#others.push(held);
  }

  /** Does something when the scope ends. */
  defer(act: () => void): void {
    this.use({ [Symbol.dispose]: act });
  }

  /** Holds a thing no longer, whoever has it now. */
  release(held: Disposable): void {
    if (this.#others !== undefined) {
      const others = this.#others.filter((each) => each !== held);
      this.#others = others.length === 0 ? undefined : others;
    }
    if (this.#first === held) this.#first = this.#others?.shift();
    if (this.#others?.length === 0) this.#others = undefined;
  }

  /** Ends without giving anything back: that is for the caller to do, who gets what it held, without a scope around it if that is one thing. */
  move(): Disposable {
    const rest = new Scope();
    rest.#first = this.#first;
    rest.#others = this.#others;
    this.#first = this.#others = undefined;
    this.#isDisposed = true;
    return rest.#others === undefined && rest.#first !== undefined ? rest.#first : rest;
  }

  /** Gives everything back, the last first. Where one throws the others are still given back, and the first error is thrown then. */
  [Symbol.dispose](): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    const first = this.#first;
    const others = this.#others;
    this.#first = this.#others = undefined;
    if (others === undefined) return first?.[Symbol.dispose]();
    let failure: { readonly error: unknown } | undefined;
    for (const held of [first, ...others].reverse()) {
      try {
        held?.[Symbol.dispose]();
      } catch (error) {
        failure ??= { error };
      }
    }
    if (failure !== undefined) throw failure.error;
  }
}
