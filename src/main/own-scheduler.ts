// The schedule of every diffusion that this project trains from nothing.

import type { SchedulerConfig } from '../painter/manifest.js';

/** DDIM on a cosine schedule (Nichol and Dhariwal 2021), velocity prediction, 1,000 training steps. */
export const OWN_SCHEDULER: SchedulerConfig = {
  _class_name: 'DDIMScheduler',
  num_train_timesteps: 1000,
  beta_start: 0.0001,
  beta_end: 0.02,
  beta_schedule: 'squaredcos_cap_v2',
  prediction_type: 'v_prediction',
  timestep_spacing: 'trailing',
  steps_offset: 0,
  set_alpha_to_one: true,
  skip_prk_steps: true,
};
