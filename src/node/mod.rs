//! The shell: the one loop, the activities, the assembly. It holds no decision.
