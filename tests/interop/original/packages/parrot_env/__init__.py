"""A parrot, as a package of OpenEnv's for agents that come with a loop of their own."""
