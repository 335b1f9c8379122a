import { RequestTimings } from './request-timings.js';

describe('RequestTimings', () => {
  let time = 1_000;
  beforeEach(() => {
    time = 1_000;
    jest.spyOn(performance, 'now').mockImplementation(() => time);
  });
  afterEach(() => jest.restoreAllMocks());

  it('starts without a lap', () => {
    const timings = new RequestTimings();
    expect([timings.started, timings.laps]).toEqual([1_000, []]);
  });

  it('assigns to each stage the time since the previous mark', () => {
    const timings = new RequestTimings();
    time = 1_004;
    timings.mark('authentication');
    time = 1_004.5;
    timings.mark('limits');
    time = 1_010;
    timings.mark('decision');
    expect(timings.laps).toEqual([
      { stage: 'authentication', from: 1_000, to: 1_004 },
      { stage: 'limits', from: 1_004, to: 1_004.5 },
      { stage: 'decision', from: 1_004.5, to: 1_010 },
    ]);
  });

  it('keeps every lap of a repeated stage', () => {
    const timings = new RequestTimings();
    timings.mark('limits');
    time = 1_003;
    timings.mark('limits');
    expect(timings.laps).toEqual([
      { stage: 'limits', from: 1_000, to: 1_000 },
      { stage: 'limits', from: 1_000, to: 1_003 },
    ]);
  });
});
