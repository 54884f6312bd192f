/* A pool that several tasks of FreeRTOS use: its lock is a recursive mutex.
 *
 *     config.lock_context = xSemaphoreCreateRecursiveMutex();
 *     config.lock = dynamicfs_freertos_lock;
 *     config.unlock = dynamicfs_freertos_unlock;
 *
 * The mutex inherits priorities. A task that changes things keeps the others out from dfs_begin to dfs_commit
 * by taking it as well; then theirs are not in its transaction. No function of dynamicfs.h is called from an
 * interrupt. */
#ifndef DYNAMICFS_FREERTOS_H
#define DYNAMICFS_FREERTOS_H

#include <FreeRTOS.h>
#include <semphr.h>

/* How long a call waits before it answers DFS_ERR_LOCK. */
#ifndef DYNAMICFS_FREERTOS_TICKS
#define DYNAMICFS_FREERTOS_TICKS portMAX_DELAY
#endif

static inline int32_t dynamicfs_freertos_lock(void *mutex) {
    return xSemaphoreTakeRecursive((SemaphoreHandle_t)mutex, DYNAMICFS_FREERTOS_TICKS) == pdTRUE ? 0 : 1;
}

static inline void dynamicfs_freertos_unlock(void *mutex) { (void)xSemaphoreGiveRecursive((SemaphoreHandle_t)mutex); }

#endif
