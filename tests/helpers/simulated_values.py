"""What the simulated hospital believes: diagnoses with their share, and how each measured value moves with the patient.

Means and spreads are rounded textbook figures of intensive care patients; shifts are in the unit of the column.
"""

from dataclasses import dataclass, field

SEVERITY = "severity"
"""The latent state of every admission, standard normal."""


@dataclass(frozen=True)
class Sign:
    """A measured column: mean and spread of its first value, shift per state, share of admissions that have it."""

    column: str
    mean: float
    spread: float
    shifts: dict[str, float] = field(default_factory=dict)
    share: float = 0.95
    decimals: int = 1
    low: float = 0.0
    high: float = 1e6
    panel: str = ""
    """Signs of one panel are charted at the same moments."""


DIAGNOSES: dict[str, tuple[str, float]] = {
    "4019": ("hypertension", 0.45),
    "4280": ("heart_failure", 0.25),
    "42731": ("atrial_fibrillation", 0.25),
    "41401": ("coronary", 0.25),
    "41071": ("infarction", 0.10),
    "25000": ("diabetes", 0.22),
    "25001": ("diabetes_type_1", 0.03),
    "5849": ("kidney_injury", 0.22),
    "5859": ("kidney_disease", 0.13),
    "51881": ("respiratory_failure", 0.20),
    "496": ("copd", 0.12),
    "49390": ("asthma", 0.05),
    "486": ("pneumonia", 0.14),
    "0389": ("sepsis", 0.12),
    "99592": ("sepsis", 0.10),
    "5715": ("cirrhosis", 0.06),
    "1970": ("metastasis", 0.04),
    "1629": ("lung_cancer", 0.04),
    "43491": ("stroke", 0.05),
    "2851": ("anemia", 0.15),
    "2875": ("coagulopathy", 0.08),
    "27800": ("obesity", 0.06),
    "311": ("depression", 0.08),
    "30500": ("alcohol", 0.06),
    "30560": ("drugs", 0.03),
    "2449": ("hypothyroidism", 0.10),
    "2948": ("dementia", 0.04),
    "5990": ("urinary_infection", 0.14),
    "2724": ("hyperlipidemia", 0.22),
    "53081": ("reflux", 0.12),
    "80700": ("rib_fracture", 0.03),
    "78559": ("shock", 0.06),
    "64891": ("pregnancy", 0.01),
    "75732": ("birthmark", 0.01),
    "76519": ("preterm", 0.01),
    "7140": ("arthritis", 0.03),
    "6826": ("cellulitis", 0.04),
    "V5861": ("anticoagulant_use", 0.10),
    "V4581": ("bypass_history", 0.10),
    "E8788": ("operation_reaction", 0.05),
}
"""Real ICD-9-CM code → (state that it brings, share of admissions); every chapter occurs, V and E codes too."""

SHARES_BY_SEVERITY = {"sepsis": 0.8, "kidney_injury": 0.6, "respiratory_failure": 0.8, "shock": 1.0, "pneumonia": 0.4}
"""State → how much one unit of severity raises its log odds."""

LABORATORY: tuple[Sign, ...] = (
    Sign("hemoglobin", 11.2, 1.8, {"anemia": -1.8, "kidney_disease": -0.8, SEVERITY: -0.3}, 0.99, 1, 4, 19),
    Sign("hematocrit", 33.5, 5.2, {"anemia": -5.2, "kidney_disease": -2.2, SEVERITY: -0.9}, 0.99, 1, 12, 58),
    Sign("white_cell_count", 10.5, 3.8, {"sepsis": 5.0, "pneumonia": 2.5, SEVERITY: 1.0}, 0.99, 1, 0.3, 60),
    Sign("platelets", 235, 85, {"cirrhosis": -90, "coagulopathy": -110, "sepsis": -20}, 0.99, 0, 8, 900),
    Sign("sodium", 138.5, 4.0, {"cirrhosis": -3, "heart_failure": -1}, 0.98, 0, 112, 165),
    Sign("potassium", 4.1, 0.55, {"kidney_injury": 0.35, "kidney_disease": 0.3}, 0.98, 1, 2.1, 7.5),
    Sign("chloride", 104, 5, {"heart_failure": -1.5}, 0.98, 0, 80, 130),
    Sign("bicarbonate", 25, 3.8, {"sepsis": -2.5, "copd": 2.5, "kidney_injury": -2, SEVERITY: -0.8}, 0.98, 0, 6, 48),
    Sign("anion_gap", 13.5, 2.8, {"sepsis": 2, "kidney_injury": 2, SEVERITY: 0.6}, 0.97, 0, 3, 38),
    Sign("urea_nitrogen", 20, 8, {"kidney_injury": 18, "kidney_disease": 20, "heart_failure": 6}, 0.98, 0, 3, 180),
    Sign("creatinine", 0.95, 0.3, {"kidney_injury": 1.1, "kidney_disease": 1.6}, 0.98, 1, 0.2, 14),
    Sign("glucose", 125, 28, {"diabetes": 55, "diabetes_type_1": 75, SEVERITY: 8}, 0.98, 0, 35, 900),
    Sign("hba1c", 5.6, 0.4, {"diabetes": 1.7, "diabetes_type_1": 2.2}, 0.15, 1, 4, 15),
    Sign("calcium", 8.5, 0.7, {}, 0.85, 1, 5.5, 13),
    Sign("magnesium", 2.0, 0.3, {"alcohol": -0.3}, 0.9, 1, 0.8, 5),
    Sign("phosphate", 3.5, 0.9, {"kidney_disease": 1.3}, 0.85, 1, 0.7, 11),
    Sign("albumin", 3.3, 0.5, {"cirrhosis": -0.7, "sepsis": -0.5, SEVERITY: -0.15}, 0.45, 1, 1, 5.3),
    Sign("bilirubin_total", 0.7, 0.3, {"cirrhosis": 3.2, "sepsis": 0.4}, 0.5, 1, 0.1, 40),
    Sign("alt", 32, 14, {"cirrhosis": 30, "shock": 140}, 0.5, 0, 4, 6000),
    Sign("ast", 38, 16, {"cirrhosis": 45, "shock": 160}, 0.5, 0, 5, 6000),
    Sign("alkaline_phosphatase", 88, 30, {"cirrhosis": 60}, 0.5, 0, 20, 1500),
    Sign("lactate", 1.7, 0.6, {"sepsis": 1.6, "shock": 2.4, SEVERITY: 0.5}, 0.55, 1, 0.4, 20),
    Sign("inr", 1.15, 0.15, {"anticoagulant_use": 0.9, "cirrhosis": 0.6}, 0.9, 1, 0.8, 10),
    Sign("ptt", 30, 6, {"anticoagulant_use": 9, "cirrhosis": 8}, 0.9, 1, 18, 150),
    Sign("troponin_t", 0.05, 0.03, {"infarction": 1.4, "kidney_disease": 0.08}, 0.3, 2, 0.01, 20),
    Sign("ph", 7.38, 0.06, {"sepsis": -0.05, "copd": -0.03, SEVERITY: -0.02}, 0.55, 2, 6.85, 7.7),
    Sign("po2", 140, 60, {"respiratory_failure": -45}, 0.55, 0, 30, 500),
    Sign("pco2", 40, 7, {"copd": 12, "respiratory_failure": 6}, 0.55, 0, 15, 120),
    Sign("cholesterol_total", 165, 38, {"hyperlipidemia": 25}, 0.15, 0, 60, 400),
    Sign("ldl", 95, 30, {"hyperlipidemia": 20}, 0.12, 0, 20, 300),
    Sign("hdl", 45, 13, {"obesity": -6}, 0.13, 0, 10, 120),
    Sign("triglycerides", 130, 50, {"diabetes": 35, "obesity": 30}, 0.18, 0, 30, 1000),
    Sign("red_cell_count", 3.8, 0.6, {"anemia": -0.6}, 0.95, 2, 1.2, 7),
    Sign("mcv", 90, 6, {"alcohol": 6, "cirrhosis": 4}, 0.95, 0, 60, 125),
    Sign("rdw", 14.6, 1.6, {"anemia": 1.2, "cirrhosis": 1.5}, 0.95, 1, 11, 28),
    Sign("neutrophils", 75, 11, {"sepsis": 6, "pneumonia": 5}, 0.6, 0, 5, 99),
    Sign("lymphocytes", 14, 7, {"sepsis": -5, "pneumonia": -3}, 0.6, 0, 0, 80),
    Sign("fibrinogen", 330, 120, {"coagulopathy": -120, "sepsis": 90}, 0.15, 0, 50, 1200),
    Sign("lactate_dehydrogenase", 240, 70, {"shock": 300, "metastasis": 180}, 0.35, 0, 80, 9000),
    Sign("creatine_kinase", 110, 60, {"infarction": 420, "drugs": 300}, 0.45, 0, 15, 20000),
    Sign("lipase", 35, 15, {"alcohol": 60}, 0.25, 0, 5, 3000),
    Sign("tsh", 1.9, 0.9, {"hypothyroidism": 2.2}, 0.15, 2, 0.05, 60),
    Sign("crp", 45, 25, {"sepsis": 110, "arthritis": 35}, 0.08, 1, 0.5, 400),
)

VITAL_SIGNS: tuple[Sign, ...] = (
    Sign("heart_rate", 86, 15, {"sepsis": 12, "atrial_fibrillation": 6, SEVERITY: 4}, 0.98, 0, 32, 200),
    Sign("systolic_bp", 124, 20, {"hypertension": 8, "shock": -24, "sepsis": -12, SEVERITY: -4}, 0.98, 0, 55, 230),
    Sign("diastolic_bp", 63, 13, {"shock": -10, "sepsis": -6}, 0.98, 0, 22, 130),
    Sign("mean_arterial_pressure", 82, 14, {"shock": -14, "sepsis": -8}, 0.98, 0, 35, 160),
    Sign("respiratory_rate", 18, 4, {"pneumonia": 4, "respiratory_failure": 4, SEVERITY: 1}, 0.98, 0, 6, 50),
    Sign("temperature_c", 36.9, 0.6, {"sepsis": 0.7, "pneumonia": 0.4}, 0.97, 1, 32, 41.5),
    Sign("spo2", 97, 2.2, {"respiratory_failure": -2.5, "copd": -1.5}, 0.98, 0, 65, 100),
    Sign("gcs_eye", 3.4, 0.7, {"stroke": -0.8, "shock": -0.7, SEVERITY: -0.3}, 0.95, 0, 1, 4, "coma"),
    Sign("gcs_verbal", 4.1, 0.9, {"stroke": -1.2, "respiratory_failure": -1.5, SEVERITY: -0.4}, 0.95, 0, 1, 5, "coma"),
    Sign("gcs_motor", 5.6, 0.6, {"stroke": -0.8, "shock": -0.8, SEVERITY: -0.3}, 0.95, 0, 1, 6, "coma"),
    Sign("gcs_total", 13.2, 1.8, {"stroke": -2.6, "shock": -2, SEVERITY: -0.9}, 0.6, 0, 3, 15),
    Sign("height_cm", 169, 10, {}, 0.65, 0, 135, 205),
    Sign("weight_kg", 80, 17, {"obesity": 28, "heart_failure": 4}, 0.9, 1, 35, 220),
)

DRUG_REASONS: dict[str, tuple[str, float, float]] = {
    "insulin": ("diabetes", 0.85, 0.3),
    "oral_antidiabetic": ("diabetes", 0.35, 0.01),
    "vasopressor": ("shock", 0.9, 0.15),
    "beta_blocker": ("coronary", 0.85, 0.4),
    "ace_inhibitor_or_arb": ("heart_failure", 0.6, 0.25),
    "statin": ("hyperlipidemia", 0.8, 0.2),
    "diuretic": ("heart_failure", 0.9, 0.35),
    "anticoagulant": ("atrial_fibrillation", 0.85, 0.5),
    "antiplatelet": ("coronary", 0.9, 0.25),
    "antibiotic": ("sepsis", 0.99, 0.5),
    "opioid": ("rib_fracture", 0.9, 0.5),
    "sedative": ("respiratory_failure", 0.85, 0.35),
    "corticosteroid": ("copd", 0.7, 0.12),
    "proton_pump_inhibitor": ("reflux", 0.85, 0.45),
}
"""Drug class → (state that calls for it, share with the state, share without it)."""

PROCEDURE_REASONS: dict[str, tuple[str, float, float]] = {
    "mechanical_ventilation": ("respiratory_failure", 0.8, 0.15),
    "hemodialysis": ("kidney_disease", 0.3, 0.02),
}
"""Procedure → the same three figures."""
