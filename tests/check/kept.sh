# Models that random.sh found and that were wrong once: kept.models.
. "$ROOT/tests/lib.sh"
write_models "$ROOT/tests/check/kept.models"
(gradients 1 models/*.nn) >result || { cat result; exit 1; }
tail -n 1 result
