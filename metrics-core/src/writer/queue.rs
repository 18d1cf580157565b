//! Writes that wait for their commit, bounded by their points.

use std::collections::VecDeque;

use parking_lot::{Condvar, Mutex};

use super::error::WriteError;
use super::keys::IdempotencyKey;
use super::ticket::Reply;
use crate::model::Batch;

/// One write.
#[derive(Debug)]
pub(crate) struct WriteJob {
    pub(crate) batch: Batch,
    pub(crate) key: Option<IdempotencyKey>,
    pub(crate) reply: Reply,
}

/// What the committer is asked to do.
#[derive(Debug)]
pub(crate) enum Job {
    Write(WriteJob),
    /// Seal the memtable, so that all points so far can be moved into chunks. Answered when it is sealed.
    Seal(Reply),
}

impl Job {
    /// What it takes of the queue's room: its points, and one for itself so that empty writes are bounded too.
    fn weight(&self) -> usize {
        match self {
            Self::Write(job) => job.batch.len() + 1,
            Self::Seal(_) => 1,
        }
    }
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<Job>,
    weight: usize,
    closed: bool,
}

/// The queue between those who write and the one who commits.
#[derive(Debug)]
pub(crate) struct Queue {
    limit: usize,
    state: Mutex<State>,
    changed: Condvar,
    drained: Condvar,
}

impl Queue {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), state: Mutex::default(), changed: Condvar::new(), drained: Condvar::new() }
    }

    /// Points that wait.
    pub(crate) fn len(&self) -> usize {
        let state = self.state.lock();
        state.weight - state.jobs.len()
    }

    /// Puts a job in. Without room it waits, or (`wait == false`) refuses. A job larger than the whole queue is let
    /// in when nothing else waits.
    pub(crate) fn push(&self, job: Job, wait: bool) -> Result<(), WriteError> {
        let weight = job.weight();
        let mut state = self.state.lock();
        while !state.closed && state.weight > 0 && state.weight + weight > self.limit {
            if !wait {
                return Err(WriteError::QueueFull { limit: self.limit });
            }
            self.drained.wait(&mut state);
        }
        if state.closed {
            return Err(WriteError::Closed);
        }
        state.weight += weight;
        state.jobs.push_back(job);
        drop(state);
        self.changed.notify_one();
        Ok(())
    }

    /// Takes the jobs that wait, up to so many points (at least one job), waiting for the first.
    /// A seal ends a group. None when the queue is closed and empty.
    pub(crate) fn take(&self, most: usize) -> Option<Vec<Job>> {
        let mut state = self.state.lock();
        while state.jobs.is_empty() {
            if state.closed {
                return None;
            }
            self.changed.wait(&mut state);
        }
        let (mut group, mut weight) = (Vec::new(), 0);
        while let Some(job) = state.jobs.pop_front_if(|job| weight == 0 || weight + job.weight() <= most) {
            weight += job.weight();
            let seal = matches!(job, Job::Seal(_));
            group.push(job);
            if seal {
                break;
            }
        }
        state.weight -= weight;
        drop(state);
        self.drained.notify_all();
        Some(group)
    }

    /// Refuses what comes and what waits: nobody takes from the queue any more.
    pub(crate) fn abandon(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        // Their tickets resolve as closed.
        state.jobs.clear();
        state.weight = 0;
        drop(state);
        self.changed.notify_all();
        self.drained.notify_all();
    }

    /// Refuses what comes; what waits is still taken.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
        self.drained.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Point, Timestamp};
    use crate::writer::WriteTicket;

    fn job(points: usize) -> Job {
        let point = |at| Point::new("m", Timestamp::clamped(at), 1.0).expect("valid");
        let batch = (0..points as i64).map(point).collect();
        Job::Write(WriteJob { batch, key: None, reply: WriteTicket::new().0 })
    }

    #[test]
    fn a_full_queue_refuses_and_takes_again_once_drained() {
        let queue = Queue::new(10);
        queue.push(job(6), false).expect("room");
        assert!(matches!(queue.push(job(6), false), Err(WriteError::QueueFull { limit: 10 })));
        assert_eq!(queue.len(), 6);
        assert_eq!(queue.take(100).expect("open").len(), 1);
        queue.push(job(50), false).expect("an oversized write enters an empty queue");
    }

    #[test]
    fn an_abandoned_queue_answers_those_who_wait() {
        let queue = Queue::new(10);
        let (reply, ticket) = WriteTicket::new();
        let batch = Point::new("m", Timestamp::EPOCH, 1.0).expect("valid").into();
        queue.push(Job::Write(WriteJob { batch, key: None, reply }), false).expect("room");
        queue.abandon();
        assert!(matches!(ticket.wait(), Err(WriteError::Closed)));
        assert!(matches!(queue.push(job(1), true), Err(WriteError::Closed)));
        assert!(queue.take(10).is_none());
    }

    #[test]
    fn groups_are_bounded_and_the_rest_is_drained_after_closing() {
        let queue = Queue::new(100);
        (0..5).for_each(|_| queue.push(job(4), false).expect("room"));
        queue.close();
        assert!(matches!(queue.push(job(1), true), Err(WriteError::Closed)));
        let sizes: Vec<usize> = std::iter::from_fn(|| queue.take(10)).map(|group| group.len()).collect();
        assert_eq!(sizes, [2, 2, 1]);
    }
}
