import { type EndpointState, type EndpointVerdict, takesNew } from "../../core/endpoint-state.ts";

/** What an endpoint is, why, and since when: the sum of what the configuration, the checks, operators and its own traffic say. */
export class Standing {
  #state: EndpointState = "unchecked";
  /** Unix milliseconds. */
  #since = Date.now();
  #openSince = Date.now();
  #verdict: EndpointVerdict | undefined;
  #grounds: Grounds = { isLeaving: false, hasWeight: true };
  /** Why its own traffic has taken it out. */
  #ejection: string | undefined;

  get state(): EndpointState {
    return this.#state;
  }

  get since(): number {
    return this.#since;
  }

  /** When it was last new or back: since then it takes new exchanges, if it does. Unix milliseconds. */
  get openSince(): number {
    return this.#openSince;
  }

  get why(): string {
    if (this.#state === "leaving") return "no longer configured";
    if (this.#state === "draining") return this.isAskedFor ? "drained by an operator" : "its weight is 0";
    return (this.#state === "ejected" ? this.#ejection : this.#verdict?.why) ?? "";
  }

  /** True if an operator drains it. */
  get isAskedFor(): boolean {
    return this.#verdict?.isDraining === true;
  }

  /** True if its own traffic has taken it out, whatever else there is to say of it. */
  get isEjected(): boolean {
    return this.#ejection !== undefined;
  }

  /** True if it may be offered outside panic mode. */
  get takesNew(): boolean {
    return takesNew(this.#state);
  }

  /** True if not even panic mode may offer it. */
  get isGoing(): boolean {
    return this.#state === "draining" || this.#state === "leaving";
  }

  set grounds(grounds: Grounds) {
    this.#grounds = grounds;
    this.#settle();
  }

  set verdict(verdict: EndpointVerdict | undefined) {
    this.#verdict = verdict;
    this.#settle();
  }

  set ejection(why: string | undefined) {
    this.#ejection = why;
    this.#settle();
  }

  #settle(): void {
    const state = this.#find();
    if (state === this.#state) return;
    const wasOpen = takesNew(this.#state);
    this.#state = state;
    this.#since = Date.now();
    if (!wasOpen && takesNew(state)) this.#openSince = this.#since;
  }

  #find(): EndpointState {
    if (this.#grounds.isLeaving) return "leaving";
    if (this.#verdict?.isDraining === true || !this.#grounds.hasWeight) return "draining";
    if (this.#verdict?.health === "unhealthy") return "unhealthy";
    if (this.#ejection !== undefined) return "ejected";
    return this.#verdict?.isSuspected === true ? "suspected" : (this.#verdict?.health ?? "unchecked");
  }
}

/** What the configuration says. */
export type Grounds = { readonly isLeaving: boolean; readonly hasWeight: boolean };
