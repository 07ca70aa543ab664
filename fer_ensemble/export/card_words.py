"""The words of the card that no figure replaces."""

LABEL_NOISE = (
    "FER2013's labels come from search words and a quick look. Ten people looked at the same images again "
    "(FER+, Barsoum et al., 2016, https://arxiv.org/abs/1608.01041): the plurality of them agrees with the "
    "FER2013 label on about 65 % of the images. So nothing can reach 100 % here, and an accuracy of 70 % does not "
    "mean that three answers in ten would look wrong to people. It means that the network gives the label of this "
    "data set that often."
)
NOT_TESTED = (
    "Whether it is as good for people of every age, sex, skin colour and culture. FER2013 does not tell who is in "
    "its images, so that it cannot be measured on them; expect differences.",
    "Faces seen from the side, from above or from below, and faces turned by more than about 13 degrees.",
    "Masks, hands before the face, strong light from one side, small and blurred faces, except as "
    "`fer-ensemble evaluate --robustness` measures it on altered FER2013 faces.",
    "Faces that the detector does not find, and pictures of no face that it takes for one.",
    "Expressions beside its classes, mixtures of them, and how strong they are.",
)
INTENDED_USE = (
    "Research and teaching about facial expressions, and about what such networks can and cannot do.",
    "Sorting pictures of one's own; art, toys and games whose players know of it and lose nothing by a wrong "
    "answer.",
    "A first look at pictures that people then look at themselves.",
)
MISUSE = (
    "Inferring emotions of people at work or in schools: forbidden in the European Union by the AI Act "
    "(Regulation (EU) 2024/1689), article 5(1)(f), except for medical or safety reasons.",
    "Decisions about people: hiring, marks, credit, insurance, policing, borders, health.",
    "Telling what somebody feels, thinks or intends. An expression is not a feeling: people smile without joy, "
    "and are sad without showing it.",
    "Watching people who do not know of it, or have not agreed.",
)
TERMS = (
    "FER2013 was made for a contest in 2013 (Goodfellow et al., 2013, https://arxiv.org/abs/1307.0414) of images "
    "found on the web. Neither the people in them nor the photographers were asked. It is not part of this "
    "package, and is handed out elsewhere for research, under the terms of the place that it is had from.",
    "The weights come with this package, under its licence (see `LICENSE`) and without any warranty. What they "
    "were learnt from may limit what they may be used for where you live; that licence cannot lift such limits.",
)
ON_PUBLIC = (
    "The network learnt from all of Training and has no images that were held out: its temperature was chosen on "
    "PublicTest itself."
)
