/* Stands in for FreeRTOS's <semphr.h>. */
#ifndef STAND_IN_SEMPHR_H
#define STAND_IN_SEMPHR_H

#include "FreeRTOS.h"

typedef struct stand_in_mutex *SemaphoreHandle_t;

BaseType_t xSemaphoreTakeRecursive(SemaphoreHandle_t mutex, TickType_t ticks);
BaseType_t xSemaphoreGiveRecursive(SemaphoreHandle_t mutex);

#endif
